// Package quote makes text that a sandbox or client wrote fit for our own log lines and
// errors: short, and without control characters. It imports nothing of ours.
package quote
