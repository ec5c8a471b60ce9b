// Package intent is the wire format in which gateways tell of accesses (contract 04 §9.2):
// one JSON object per element of a Redis list. It is pure, and reads hostile text.
package intent
