// Package runtimetest is the behaviour that every lifecycle.Runtime shares, as a test
// suite: the in-memory fake, Docker and Kubernetes run the same one. It depends on
// package lifecycle and the testing libraries alone.
package runtimetest
