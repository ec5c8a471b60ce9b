// Package audit judges a configuration that is valid: what in it makes a server weaker
// than it could be. check-config --security prints what it finds.
package audit
