// Package rotate is the log file of the server and of the daemon in the sandboxes: it
// rotates by size and forgets by age. It imports nothing of ours.
package rotate
