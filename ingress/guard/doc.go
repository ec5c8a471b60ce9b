// Package guard watches the framing of the requests that arrive on a plain HTTP/1
// connection, below the parser that serves them (threat row B1).
//
// Two readers of one connection, a proxy in front and this server, must agree on where a
// request ends, or one client's bytes become another one's request. Go's parser accepts
// some requests that other parsers read differently: Content-Length beside
// Transfer-Encoding, a repeated Content-Length, lines that end in a bare LF, folded
// headers. The guard lets none of them through: in place of the offending line it hands
// the parser one that every parser refuses, so that it is the parser that answers 400,
// in its turn, and closes the connection.
package guard
