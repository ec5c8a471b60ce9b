// Package registryauth finds the login for a pull: the request's own, or the one that the
// server's user keeps in the Docker client's configuration or its credential helpers.
// What it returns is a credential in the form that the engine takes.
package registryauth
