// Package runtimefake is a lifecycle.Runtime in memory, for tests: sandboxes that are
// only entries of a map, a backend that can be made slow, failing or silent, and the
// means to act behind the runtime's back. It starts no process and opens no socket.
package runtimefake
