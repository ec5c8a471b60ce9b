// Package clients runs the published clients against the real server. Its tests carry
// the build tag "clients": they need an engine, an interpreter and the client packages.
package clients
