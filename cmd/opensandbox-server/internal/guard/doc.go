// Package guard stops a server without an API key from starting unnoticed
// (contract 07 §7.1). It runs before anything is opened: no backend call, no port.
package guard
