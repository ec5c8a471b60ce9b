// Package porttest reserves ports for tests that need one before, or without, anybody
// listening on it.
package porttest
