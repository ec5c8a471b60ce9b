// Package feed carries a directory of sandboxes from a lifecycle server to gateways that
// have none of their own. The server half streams it over HTTP: a snapshot, then every
// change. The client half keeps a lifecycle.Directory like it, survives the server's
// restarts, and confirms addresses while it hears nothing (threat row K9).
//
// The feed is between our own processes and no part of the lifecycle API. It carries
// hashes of tokens, never a token. The client trusts the server to say which sandboxes
// there are, and nothing more: every value is bounded and checked, and addresses that no
// route may reach are refused.
package feed
