// Package extendedconnect switches on the extended CONNECT of HTTP/2 (RFC 8441), over
// which browsers open WebSockets on a connection that they have already. HTTP/3 has it on
// by itself.
//
// Go's HTTP/2 servers have it off, with one switch, which they read once, when their
// package is initialized: http2xconnect in the environment variable GODEBUG. It is no
// setting that a //go:debug line may hold. So this package sets it before they look. Go
// initializes packages in the order of their import paths as far as their imports allow
// ("Package initialization" in the language specification), and this one, which imports
// next to nothing, comes before golang.org/x/net/http2 and net/http. A program has to
// import it, nothing more.
//
// An operator's word stands: GODEBUG=http2xconnect=0 keeps it off for the whole process,
// which may serve other sites beside ours.
package extendedconnect
