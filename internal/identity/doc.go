// Package identity lets an execd prove that it is the one of a certain sandbox. Where
// sandboxes share a network, as with the host's, a port says nothing about who listens on
// it: another sandbox may have taken it, and a request sent there would hand it a token.
//
// The proof is a keyed hash over the sandbox's id and a challenge of the asker's. The key
// is the SHA-256 of the execd token, which the server derives and the daemon has in its
// environment, so the token itself is never sent to whoever listens. A sandbox without a
// token has an empty key: its proof tells sandboxes apart and withstands no forger.
package identity
