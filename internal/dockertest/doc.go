// Package dockertest runs a Docker Engine of a test's own beside the machine's: another
// socket, data folder, bridge and containerd, so that a test can stop it, fill it, or give
// it OCI runtimes that the machine's engine does not have.
package dockertest
