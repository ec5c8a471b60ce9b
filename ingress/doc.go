// Package ingress carries a classified request into a sandbox: it resolves the id in
// memory, decides about access, rebuilds the headers, and streams both ways. It dials
// only addresses that the directory reports for that sandbox, over connections that no
// other sandbox ever shares.
//
// What a request is for was decided before (ingress/route) and noted in its context by
// package auth; a request without that note is refused. The package knows neither
// Caddy nor a runtime. Contract 04 §6–8 and §10, 01 §11.
//
// One request passes the files in this order: handler.go, access.go, browser.go, enter.go
// (over resolve.go, access.go and wait.go), touch.go, header_request.go, forward.go, then
// either upgrade.go or redirect.go, header_response.go and copy.go.
package ingress
