// Package address writes the addresses that clients are given for the ports of a
// sandbox (contract 01 §10, 04 §4.2). It is pure: everything it knows comes from the
// configuration, the request's host and the sandbox's directory entry.
package address
