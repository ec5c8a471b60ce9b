// Package volume says what a sandbox may mount: the typed wishes of a create request and
// the rules they are held to (contract 01 §6.8, contract 02 §9.1). It decides from text
// alone; what needs the host, the engine or a mount is the runtime's.
package volume
