// Package isolation keeps sandboxes that browsers see under one web origin apart: what
// acts on the whole origin is dropped from their answers, and their cookies are confined
// to their route (threat rows W3, W4). It is pure and works on single header fields.
//
// What it cannot do: scripts of two sandboxes under one origin can still reach each
// other's documents, storage and, through document.cookie, cookies, unless the mode is
// Strict. Wildcard routes give every sandbox an origin of its own.
package isolation
