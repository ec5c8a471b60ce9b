// Package h1 is HTTP/1.1 as the edge speaks it to sandboxes: a writer of request heads, a
// strict reader of answer heads, and the readers of answer bodies.
//
// Everything it reads was written by a hostile sandbox. So sizes are bounded, and whatever
// two readers could understand in two ways (a folded line, a lone carriage return, two
// lengths) is an error, or at least the end of the connection (threat rows B2, B3).
// It opens no connections and knows nothing of routes; it imports nothing of ours.
package h1
