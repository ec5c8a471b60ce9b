// Package ingress carries a classified request into a sandbox: it resolves the id in
// memory, decides about access, rebuilds the headers, and streams both ways. It dials
// only addresses that the directory reports for that sandbox, over connections that no
// other sandbox ever shares.
//
// What a request is for was decided before (ingress/route) and noted in its context by
// package auth; a request without that note is refused. The package knows neither
// Caddy nor a runtime. Contract 04 §6–8 and §10, 01 §11.
//
// One request passes the files in this order:
//
//	handler.go           the steps themselves
//	request.go           over hopbyhop.go: what may not reach any sandbox; websocket.go, what a handshake is
//	browser.go           what other sites' pages may not do
//	enter.go             over resolve.go, access.go and wait.go: to a sandbox that takes it
//	limits.go            a place in the sandbox's budget
//	touch.go             the access counts
//	forward.go           over ingress/upstream: the request, with header_request.go, body.go (vigil.go) and peer.go
//	upgrade.go           a WebSocket: clientend.go, splice.go
//	redirect.go          or an answer: header_response.go, caching.go, copy.go
package ingress
