// Package execd is the daemon inside every sandbox: HTTP access to its commands,
// files, metrics and ports (contract 06). This package is the rim: listener,
// handler chain, access token, routes and the HTTP side of each endpoint. What
// the endpoints do lives in the sub-packages, which know nothing of HTTP.
//
// It imports nothing of the server.
package execd
