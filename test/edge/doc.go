// Package edge runs the real opensandbox-server for end-to-end tests and the demo:
// it writes a configuration, starts the binary, talks to it as a client would, and
// takes everything away again. It knows the wire, not the code: of ours it imports nothing.
package edge
