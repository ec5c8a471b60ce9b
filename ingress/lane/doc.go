// Package lane serves HTTP/1.1 connections that were taken over from another server, one
// request after the other, in one goroutine per connection.
//
// A general server spends more on a request than the proxy behind it: a goroutine that
// watches the client, wrappers, loggers and values for handlers that are not there. A
// connection in the lane is served with the request's own parser and writer and nothing
// else. Everything that is not for the lane goes back to where the connection came from,
// with every byte that was read: requests the handler does not want, other versions of
// HTTP, heads that are large or broken. So the other server stays the one that answers
// errors, and a connection may change sides any number of times without anybody noticing.
//
// The framing of requests is watched below both servers, by package guard; a connection
// must come with it.
package lane
