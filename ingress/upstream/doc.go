// Package upstream owns the connections to sandboxes and carries single requests over
// them. Connections are pooled per generation of a sandbox, confirmed between connect and
// first byte, and cut when the generation ends.
//
// Two cores carry requests over the same pools and behave alike: Direct is the edge's
// own HTTP/1.1 client, made for little work per request; NetHTTP is the standard
// library's Transport behind a reader that finds where answers end. Sandboxes are
// hostile: a connection on which anything was odd is never used again.
//
// What is sent and what becomes of the answer is the caller's; nothing here knows routes,
// headers or clients.
package upstream
