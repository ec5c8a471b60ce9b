// Package cli is the command line of opensandbox-server (contract 07 §6): flags,
// sub-commands, exit codes and the order of starting up. What running the server
// and Caddy's own commands do is handed in, so that the package needs neither.
package cli
