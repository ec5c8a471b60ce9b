// Package e2e drives the real binary over loopback with real containers. Its tests
// need a Docker Engine and carry the build tag "docker".
package e2e
