// Package api is the HTTP face of the lifecycle control plane (contract 01): routes,
// wire types and the documents about itself.
//
// It decides nothing about sandboxes: that is lifecycle.Service behind the Service
// interface. It decides nothing about who may call: it acts on the decision that
// package auth put into the request's context, and answers 500 where there is none.
// It knows no Caddy.
package api
