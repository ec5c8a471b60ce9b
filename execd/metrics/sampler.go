package metrics

import (
	"math"
	"sync"
	"time"
)

// Sample is the answer of GET /metrics. The first five members are the
// contract's and always present; the rest is ours.
type Sample struct {
	CPUCount     int     `json:"cpu_count"`
	CPUUsedPct   float64 `json:"cpu_used_pct"` // 0…100 of CPUCount, or of the quota
	MemTotalMiB  float64 `json:"mem_total_mib"`
	MemUsedMiB   float64 `json:"mem_used_mib"`
	Timestamp    int64   `json:"timestamp"` // Unix milliseconds
	DiskTotalMiB float64 `json:"disk_total_mib"`
	DiskUsedMiB  float64 `json:"disk_used_mib"`
	ProcessCount int     `json:"process_count"`
}

// window is the shortest time a CPU percentage is computed over: below it, the
// kernel's own granularity would dominate.
const window = 250 * time.Millisecond

// Sampler computes CPU use between two moments instead of waiting for one to pass.
// It is safe for concurrent use and has no goroutine.
type Sampler struct {
	source Source
	mu     sync.Mutex
	at     time.Time
	used   time.Duration
	pct    float64
}

// NewSampler takes the first measurement, which the first Sample is relative to.
func NewSampler(source Source) *Sampler {
	s := &Sampler{source: source, at: time.Now()}
	s.used, _, _ = source.cpuUsed()
	return s
}

// Sample measures now. It does not block.
func (s *Sampler) Sample() Sample {
	const mib = 1 << 20
	total, used := s.source.memory()
	diskTotal, diskUsed := s.source.disk()
	return Sample{
		CPUCount:     max(1, int(math.Ceil(s.source.cpuLimit()))),
		CPUUsedPct:   s.cpu(time.Now()),
		MemTotalMiB:  float64(total) / mib,
		MemUsedMiB:   float64(used) / mib,
		Timestamp:    time.Now().UnixMilli(),
		DiskTotalMiB: float64(diskTotal) / mib,
		DiskUsedMiB:  float64(diskUsed) / mib,
		ProcessCount: s.source.processes(),
	}
}

// cpu is the use since the last measurement that is at least a window old.
func (s *Sampler) cpu(now time.Time) float64 {
	used, of, ok := s.source.cpuUsed()
	s.mu.Lock()
	defer s.mu.Unlock()
	elapsed := now.Sub(s.at)
	if !ok || elapsed < window {
		return s.pct
	}
	pct := 100 * float64(used-s.used) / (float64(elapsed) * of)
	s.at, s.used, s.pct = now, used, math.Min(100, math.Max(0, pct))
	return s.pct
}
