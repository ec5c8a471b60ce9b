// Package forwarded says where a request really came from: the client's address, and
// the scheme and host it used. One list of trusted proxies decides whose word counts
// (threat row B5); whatever needs to know the client, limits and logs included, asks
// here. It is pure.
package forwarded
