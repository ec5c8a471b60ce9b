// Package idempotency lets a client repeat a request without its effect being repeated:
// what a key was used for is remembered, and a request that comes with the key again is
// given that. Keys and contents are known by their sums alone.
package idempotency
