package metrics

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Source is where numbers come from: the roots of the file systems the kernel
// reports through. System is the real one.
type Source struct {
	Cgroup string // "/sys/fs/cgroup"; inside a container this is its own group
	Proc   string // "/proc"
	Disk   string // a path on the file system whose usage counts
	CPUs   int    // CPUs the process may use, when no quota says less
}

// System is this machine.
func System() Source {
	return Source{Cgroup: "/sys/fs/cgroup", Proc: "/proc", Disk: "/", CPUs: runtime.NumCPU()}
}

// cpuLimit is the number of CPUs the sandbox may use, fractions included.
func (s Source) cpuLimit() float64 {
	all := float64(max(1, s.CPUs))
	quota, period := int64(-1), int64(0)
	if f := s.fields("cpu.max"); len(f) == 2 { // v2: "max 100000"
		quota, period = number(f[0]), number(f[1])
	} else if v, ok := s.value("cpu/cpu.cfs_quota_us"); ok { // v1: -1 = none
		quota = v
		period, _ = s.value("cpu/cpu.cfs_period_us")
	}
	if quota > 0 && period > 0 {
		return math.Min(all, float64(quota)/float64(period))
	}
	return all
}

// cpuUsed is the CPU time consumed so far, and the CPUs it is a share of.
func (s Source) cpuUsed() (used time.Duration, of float64, ok bool) {
	if v, ok := s.entry("cpu.stat", "usage_usec"); ok {
		return time.Duration(v) * time.Microsecond, s.cpuLimit(), true
	}
	for _, name := range []string{"cpuacct/cpuacct.usage", "cpu/cpuacct.usage"} {
		if v, ok := s.value(name); ok {
			return time.Duration(v), s.cpuLimit(), true
		}
	}
	return s.hostCPU()
}

// hostCPU reads the first line of /proc/stat: ticks of 10 ms per state.
func (s Source) hostCPU() (used time.Duration, of float64, ok bool) {
	data, err := os.ReadFile(filepath.Join(s.Proc, "stat"))
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	f := strings.Fields(string(line))
	if len(f) < 5 || f[0] != "cpu" {
		return 0, 0, false
	}
	var ticks int64
	for i, field := range f[1:] {
		if i == 3 || i == 4 || i > 7 { // idle, iowait; guest time is part of user time
			continue
		}
		ticks += max(0, number(field))
	}
	return time.Duration(ticks) * 10 * time.Millisecond, float64(max(1, s.CPUs)), true
}

// memory is the limit and the use in bytes. Use does not count page cache that
// the kernel would give back at once, as docker stats does not.
func (s Source) memory() (total, used int64) {
	host, available := s.hostMemory()
	for _, g := range []struct{ limit, use, stat, cache string }{
		{"memory.max", "memory.current", "memory.stat", "inactive_file"},
		{"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"},
	} {
		use, ok := s.value(g.use)
		if !ok {
			continue
		}
		cache, _ := s.entry(g.stat, g.cache)
		total = host
		if limit, ok := s.value(g.limit); ok && limit > 0 && (host == 0 || limit < host) { // v1 says 2^63 for none
			total = limit
		}
		return total, min(max(0, use-cache), total)
	}
	return host, max(0, host-available)
}

func (s Source) hostMemory() (total, available int64) {
	data, err := os.ReadFile(filepath.Join(s.Proc, "meminfo"))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "MemTotal:":
			total = number(f[1]) << 10
		case "MemAvailable:":
			available = number(f[1]) << 10
		}
	}
	return total, available
}

func (s Source) disk() (total, used int64) {
	var fs unix.Statfs_t
	if unix.Statfs(s.Disk, &fs) != nil {
		return 0, 0
	}
	size := int64(fs.Bsize)
	return int64(fs.Blocks) * size, int64(fs.Blocks-fs.Bfree) * size
}

// processes counts the numeric entries of /proc: those of the sandbox's own PID namespace.
func (s Source) processes() int {
	dir, err := os.Open(s.Proc)
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	n := 0
	for _, name := range names {
		if name[0] >= '1' && name[0] <= '9' {
			n++
		}
	}
	return n
}

func (s Source) fields(name string) []string {
	data, err := os.ReadFile(filepath.Join(s.Cgroup, name))
	if err != nil {
		return nil
	}
	return strings.Fields(string(data))
}

// value reads a file with one number; "max" is no number.
func (s Source) value(name string) (int64, bool) {
	f := s.fields(name)
	if len(f) != 1 {
		return 0, false
	}
	v, err := strconv.ParseInt(f[0], 10, 64)
	return v, err == nil
}

// entry reads one "key number" line of a file.
func (s Source) entry(name, key string) (int64, bool) {
	f := s.fields(name)
	for i := 0; i+1 < len(f); i += 2 {
		if f[i] == key {
			v, err := strconv.ParseInt(f[i+1], 10, 64)
			return v, err == nil
		}
	}
	return 0, false
}

func number(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return v
}
