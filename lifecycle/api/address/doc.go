// Package address writes the addresses that clients are given for the ports of a
// sandbox (contract 01 §10, 04 §4.2). What it answers is a pure function of the
// configuration, the request's host and the sandbox's directory entry; only
// PublicHost, which helps to make a configuration, looks at the machine.
package address
