// Package lifecycle is the control plane of sandboxes: what a sandbox is, how it
// is created, found, renewed, paused and ended, and where its traffic goes.
//
// Service is the one choke point: HTTP handlers, the expiry scheduler, the renewer
// and the reconciler are all its clients. A Runtime (lifecycle/docker) does the work
// on a backend, a Store (lifecycle/store) keeps what must survive, and the Directory
// answers the hot path from memory. The package serves no HTTP and knows no Caddy.
package lifecycle
