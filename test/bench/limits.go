package main

import "syscall"

// wantedFiles is what ten thousand WebSockets need, at both ends, in one process.
const wantedFiles = 65536

// raiseFiles lifts the limit of open files for this program and the ones it starts, and
// returns what it got: beyond the hard limit only root may go.
func raiseFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	for _, want := range []syscall.Rlimit{{Cur: wantedFiles, Max: max(limit.Max, wantedFiles)}, {Cur: limit.Max, Max: limit.Max}} {
		if want.Cur > limit.Cur && syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want) == nil {
			return want.Cur
		}
	}
	return limit.Cur
}
