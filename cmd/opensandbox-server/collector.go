package main

import (
	"os"
	"runtime/debug"
)

// collectorPercent is how much a heap may grow between collections. Most of ours is the
// directory of sandboxes, which is long-lived: to mark it half as often as Go's default
// of 100 costs a few MiB and saves each request some of its processor time.
const collectorPercent = 200

// giveBack returns to the system what only the start needed: lists and records of all
// sandboxes, some of them several times.
func giveBack() { debug.FreeOSMemory() }

// tuneCollector leaves the choice to the operator who made one.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
}
