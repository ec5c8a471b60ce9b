// Package namedvolume mounts the engine's named volumes, makes missing ones, and removes
// those that were made to go with their last sandbox (contract 02 §9.3). Which volumes these
// are is written on the volumes, so that it is known after any crash.
package namedvolume
