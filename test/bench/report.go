package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// table is one result: what was printed, and the raw samples behind it.
type table struct {
	Name    string
	Title   string
	Columns []string
	Rows    [][]string
	Samples []named
}

type named struct {
	Name    string
	Samples any
}

func (t *table) row(cells ...string) { t.Rows = append(t.Rows, cells) }

// report prints a table and writes it, with its samples and the facts of the run, to
// bench/<name>.json.
func (b *bench) report(t table) error {
	fmt.Printf("\n%s\n", t.Title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(t.Columns, "\t"))
	for _, r := range t.Rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(struct {
		Facts facts
		table
	}{b.facts, t}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.out, t.Name+".json"), append(text, '\n'), 0o644)
}

// facts are what a number means nothing without.
type facts struct {
	Time    time.Time
	Commit  string
	Command string
	Go      string
	CPUs    int
	CPU     string
	Kernel  string
	Rounds  int
	Seconds float64
}

func readFacts(b *bench) facts {
	return facts{
		Time: time.Now().UTC(), Commit: output("git", "describe", "--always", "--dirty"),
		Command: strings.Join(os.Args, " "), Go: runtime.Version(), CPUs: runtime.NumCPU(),
		CPU: cpuModel(), Kernel: output("uname", "-r"), Rounds: b.rounds, Seconds: b.duration.Seconds(),
	}
}

func (f facts) String() string {
	return fmt.Sprintf("%s · commit %s · %s · %d × %s · Linux %s · %d rounds of %gs",
		f.Time.Format(time.DateTime), f.Commit, f.Go, f.CPUs, f.CPU, f.Kernel, f.Rounds, f.Seconds)
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// median is the sample in the middle by CPU per request; errors are summed up.
func median(samples []sample) sample {
	sorted := slices.SortedFunc(slices.Values(samples), func(a, b sample) int { return cmp.Compare(a.CPU, b.CPU) })
	m := sorted[len(sorted)/2]
	m.Errors = 0
	for _, s := range samples {
		m.Errors += s.Errors
	}
	return m
}
