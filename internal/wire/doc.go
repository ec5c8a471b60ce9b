// Package wire holds the names that our parts, the clients and the sandboxes agree on:
// headers, ports, variables, labels, and the grammar of ids. Each is written here and
// nowhere else. It imports nothing of ours.
package wire
