package files

import (
	"bytes"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// umask reads the process's mask from /proc: the system call can only read it by
// changing it, under the feet of every other goroutine.
func umask() uint32 {
	const usual = 0o022
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return usual
	}
	_, after, ok := bytes.Cut(status, []byte("\nUmask:"))
	if !ok {
		return usual
	}
	line, _, _ := bytes.Cut(after, []byte("\n"))
	mask, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 8, 32)
	if err != nil {
		return usual
	}
	return uint32(mask)
}

func owner(info fs.FileInfo) (uid, gid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(st.Uid), int(st.Gid), true
}
