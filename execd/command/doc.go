// Package command runs shell commands for the daemon (contract 06 §6 and §15):
// it starts each in a process group of its own, reads its output through pipes,
// ends it on timeout, interrupt or shutdown, and remembers it for a while.
//
// It knows nothing of HTTP; failures a client may see are *apierror.Error.
package command
