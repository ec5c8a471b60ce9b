//go:build unix

package listener

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFiles is how many files the process may have open. Go raises the soft limit to the
// hard one when a program starts.
func openFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), math.MaxInt32))
}
