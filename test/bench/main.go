package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	dir      string // of the programs started, removed at the end
	out      string
	rounds   int
	duration time.Duration
	facts    facts

	small  rival    // answers small requests
	stream *streams // answers everything else
}

// tables are the measurements, in the order they run.
var tables = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"request", requestTable},
	{"sandboxes", countTable},
	{"stream", streamTable},
	{"sse", eventTable},
	{"websocket", websocketTable},
	{"create", createTable},
	{"api", apiTable},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	b := &bench{}
	var only string
	flag.StringVar(&b.out, "out", "bench", "folder of the results")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds of load per row; the median is shown")
	flag.DurationVar(&b.duration, "duration", 5*time.Second, "time of one round")
	flag.StringVar(&only, "only", "", "comma-separated names of tables; empty = all")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if b.dir, err = os.MkdirTemp("", "edge-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	if b.small, err = smallBackend(ctx, b.dir); err != nil {
		return err
	}
	defer b.small.stop()
	if b.stream, err = serveStreams(); err != nil {
		return err
	}
	defer b.stream.close()

	b.facts = readFacts(b)
	fmt.Println(b.facts)
	wanted := strings.Split(only, ",")
	for _, t := range tables {
		if only != "" && !slices.Contains(wanted, t.name) {
			continue
		}
		if err := t.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	fmt.Printf("\nraw samples: %s/*.json\n", b.out)
	return nil
}
