package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// sample is one run of load against one proxy.
type sample struct {
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"` // connect, read, write and status errors, and timeouts
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	CPU      float64 `json:"cpu_us_per_request"`
}

func (s sample) rate() float64 { return float64(s.Requests) / s.Seconds }

// script makes wrk print its summary as one line of JSON.
const script = `done = function(s, l)
  local e = s.errors
  io.write(string.format('\n{"requests":%d,"errors":%d,"seconds":%f,"p50_us":%d,"p99_us":%d}\n',
    s.requests, e.connect + e.read + e.write + e.status + e.timeout, s.duration / 1e6,
    l:percentile(50), l:percentile(99)))
end
`

// load is keep-alive HTTP/1.1 from one process over a number of connections.
func load(ctx context.Context, r rival, connections int, d time.Duration) (sample, error) {
	lua := filepath.Join(os.TempDir(), "bench-summary-"+strconv.Itoa(os.Getpid())+".lua")
	if err := os.WriteFile(lua, []byte(script), 0o600); err != nil {
		return sample{}, err
	}
	defer os.Remove(lua)
	args := []string{"-t1", "-c" + strconv.Itoa(connections), fmt.Sprintf("-d%ds", int(d.Seconds())), "--latency", "-s", lua}
	for name, value := range r.headers {
		args = append(args, "-H", name+": "+value)
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, "http://"+r.address+cmp.Or(r.path, "/v1/status"))...)
	before := r.cpu()
	out, err := cmd.CombinedOutput()
	used := r.cpu() - before
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	var s sample
	if err := json.Unmarshal(lastLine(out), &s); err != nil {
		return sample{}, fmt.Errorf("wrk said %q: %w", out, err)
	}
	if s.Requests > 0 {
		s.CPU = float64(used.Microseconds()) / float64(s.Requests)
	}
	return s, nil
}

func lastLine(text []byte) []byte {
	end := len(text)
	for end > 0 && text[end-1] == '\n' {
		end--
	}
	start := end
	for start > 0 && text[start-1] != '\n' {
		start--
	}
	return text[start:end]
}
