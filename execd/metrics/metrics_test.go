package metrics

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine makes the two file systems from a map of path to content.
func machine(t *testing.T, files map[string]string) Source {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return Source{Cgroup: filepath.Join(root, "cg"), Proc: filepath.Join(root, "proc"), Disk: root, CPUs: 4}
}

const (
	meminfo = "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  6291456 kB\n"
	stat    = "cpu  100 0 100 999999 50 0 0 0 20 0\ncpu0 1 1 1 1\n"
)

func TestSources(t *testing.T) {
	for name, c := range map[string]struct {
		files       map[string]string
		total, used float64 // MiB
		cpus        int
		busy        time.Duration
		of          float64
	}{
		"v2 with limits": {map[string]string{
			"cg/cpu.max": "150000 100000\n", "cg/cpu.stat": "usage_usec 2000000\nuser_usec 1\n",
			"cg/memory.max": "1073741824\n", "cg/memory.current": "209715200\n", "cg/memory.stat": "anon 1\ninactive_file 104857600\n",
		}, 1024, 100, 2, 2 * time.Second, 1.5},
		"v2 without limits": {map[string]string{
			"cg/cpu.max": "max 100000\n", "cg/cpu.stat": "usage_usec 5\n",
			"cg/memory.max": "max\n", "cg/memory.current": "104857600\n", "cg/memory.stat": "",
		}, 8192, 100, 4, 5 * time.Microsecond, 4},
		"v1 with limits": {map[string]string{
			"cg/cpu/cpu.cfs_quota_us": "50000\n", "cg/cpu/cpu.cfs_period_us": "100000\n", "cg/cpuacct/cpuacct.usage": "3000000000\n",
			"cg/memory/memory.limit_in_bytes": "536870912\n", "cg/memory/memory.usage_in_bytes": "104857600\n",
			"cg/memory/memory.stat": "cache 1\ntotal_inactive_file 52428800\n",
		}, 512, 50, 1, 3 * time.Second, 0.5},
		"v1 without limits": {map[string]string{
			"cg/cpu/cpu.cfs_quota_us": "-1\n", "cg/cpu/cpu.cfs_period_us": "100000\n", "cg/cpuacct/cpuacct.usage": "7\n",
			"cg/memory/memory.limit_in_bytes": "9223372036854771712\n", "cg/memory/memory.usage_in_bytes": "104857600\n",
		}, 8192, 100, 4, 7, 4},
		"no control group": {nil, 8192, 2048, 4, 2 * time.Second, 4},
		"garbage": {map[string]string{
			"cg/cpu.max": "-5 0 x", "cg/cpu.stat": "usage_usec", "cg/memory.current": "lots",
		}, 8192, 2048, 4, 2 * time.Second, 4},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string]string{"proc/meminfo": meminfo, "proc/stat": stat, "proc/1/x": "", "proc/23/x": "", "proc/self": ""}
			for k, v := range c.files {
				all[k] = v
			}
			source := machine(t, all)
			busy, of, ok := source.cpuUsed()
			require.True(t, ok)
			require.Equal(t, c.busy, busy)
			require.InDelta(t, c.of, of, 1e-9)
			got := NewSampler(source).Sample()
			require.Equal(t, c.cpus, got.CPUCount)
			require.InDelta(t, c.total, got.MemTotalMiB, 1e-6)
			require.InDelta(t, c.used, got.MemUsedMiB, 1e-6)
			require.Equal(t, 2, got.ProcessCount)
			require.Positive(t, got.DiskTotalMiB)
		})
	}
}

func TestNothingToRead(t *testing.T) {
	got := NewSampler(Source{Cgroup: "/absent", Proc: "/absent", Disk: "/absent"}).Sample()
	require.Equal(t, 1, got.CPUCount)
	require.Zero(t, got.CPUUsedPct)
	require.NotZero(t, got.Timestamp)
}

func TestCPUPercentage(t *testing.T) {
	source := machine(t, map[string]string{"cg/cpu.max": "100000 100000", "cg/cpu.stat": "usage_usec 0"})
	set := func(usec string) {
		require.NoError(t, os.WriteFile(filepath.Join(source.Cgroup, "cpu.stat"), []byte("usage_usec "+usec), 0o644))
	}
	s := NewSampler(source)
	t0 := s.at
	set("500000")
	require.Zero(t, s.cpu(t0.Add(window/2)), "too soon to tell")
	require.InDelta(t, 50, s.cpu(t0.Add(time.Second)), 1e-6)
	require.InDelta(t, 50, s.cpu(t0.Add(time.Second+window/2)), 1e-6, "the last known")
	set("9000000")
	require.InDelta(t, 100, s.cpu(t0.Add(2*time.Second)), 1e-6)
	set("0")
	require.Zero(t, s.cpu(t0.Add(3*time.Second)), "a counter that went back")
}
