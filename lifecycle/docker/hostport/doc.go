// Package hostport chooses free ports of the engine's host for a sandbox whose labels have
// to name them, which can only be written before the engine would assign any.
//
// A port counts as free when this process can listen on it and has not given it to another
// create lately. The sockets are held until the container is about to start. That is as
// good as it gets: where the engine is on another machine, or this process in a container,
// nothing is learned by listening, so whoever uses a choice must be ready to make another.
package hostport
