// Package listener is the listener network "opensandbox": a TCP socket that nobody else
// can share, and that is kept over config reloads. Importing the package registers it
// with Caddy.
package listener
