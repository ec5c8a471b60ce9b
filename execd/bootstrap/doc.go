// Package bootstrap is the init of a sandbox (contract 06 §14–15): the first
// process of the container, which starts the daemon, waits until it listens,
// then starts the user's process, and from there on forwards signals, reaps
// orphans, restarts the daemon when it dies, and ends with the user's process
// and its exit status. It is one static binary and needs no shell in the image.
//
// All waiting is done by one reaper: a second waiter would steal its children's
// exit statuses.
package bootstrap
