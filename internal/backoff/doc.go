// Package backoff makes the growing pauses between attempts, and waits for them. It
// imports nothing of ours.
package backoff
