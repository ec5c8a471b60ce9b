// Command images builds the container images of this project from scratch bases and
// writes them as tars that `docker load` takes: no registry, no Dockerfile, no network.
//
//	go run ./deploy/images -out DIR [-load]
//
// Two builds of one tree give the same bytes and so the same digests: times are fixed,
// entries are sorted, the binaries carry no build path. The execd image holds what
// contract 02 §5 and 06 §14 demand of one; the demo image is a small web page with a
// WebSocket on a static userland.
package main
