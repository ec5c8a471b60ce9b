package main

import (
	"context"
	"fmt"
	"time"
)

// requestTable is the product's reason to exist: a small proxied request, over keep-alive
// HTTP/1.1 on fifty connections from one process, on the gateway's header route.
func requestTable(ctx context.Context, b *bench) error {
	rivals := []func() (rival, error){
		func() (rival, error) {
			return rival{name: "no proxy", address: b.small.address, process: b.small.process}, nil
		},
		func() (rival, error) { return nginx(ctx, b.dir, b.small.address) },
		func() (rival, error) { return bare(ctx, b.dir, b.small.address) },
		func() (rival, error) { return stockCaddy(ctx, b.dir, b.small.address) },
		func() (rival, error) { return b.edge(ctx, edgeOptions{name: "edge"}) },
		func() (rival, error) {
			return b.edge(ctx, edgeOptions{name: "edge, connections left with Caddy", ingress: "keep_clients = false"})
		},
		func() (rival, error) {
			return b.edge(ctx, edgeOptions{name: "edge, net/http core, left with Caddy", ingress: "keep_clients = false\nproxy_core = \"nethttp\""})
		},
	}
	var started []rival
	defer func() {
		for _, r := range started {
			if r.process != b.small.process {
				r.stop()
			}
		}
	}()
	for _, start := range rivals {
		r, err := start()
		if err != nil {
			return err
		}
		started = append(started, r)
	}
	// Interleaved, so that whatever else the machine does meets all of them alike.
	samples := make([][]sample, len(started))
	for range b.rounds {
		for i, r := range started {
			s, err := load(ctx, r, 50, b.duration)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	t := table{
		Name:    "request",
		Title:   "One proxied request: wrk -t1 -c50, 100 bytes of JSON, access logs off",
		Columns: []string{"proxy", "req/s", "p50", "p99", "CPU µs/request", "CPU to stock Caddy", "req/s to stock Caddy", "errors"},
	}
	const reference = 3
	stock := median(samples[reference])
	for i, r := range started {
		m := median(samples[i])
		cpu := fmt.Sprintf("%.1f", m.CPU)
		ratio := fmt.Sprintf("%.2f", m.CPU/stock.CPU)
		if i == 0 {
			cpu, ratio = "–", "–"
		}
		t.row(r.name, fmt.Sprintf("%.0f", m.rate()), micros(m.P50), micros(m.P99), cpu, ratio,
			fmt.Sprintf("%.2f", m.rate()/stock.rate()), fmt.Sprint(m.Errors))
		t.Samples = append(t.Samples, named{r.name, samples[i]})
	}
	return b.report(t)
}

// countTable shows that a request costs the same whether there are ten sandboxes or a
// hundred thousand.
func countTable(ctx context.Context, b *bench) error {
	t := table{
		Name: "sandboxes", Title: "The same request by number of sandboxes known",
		Columns: []string{"sandboxes", "req/s", "p50", "p99", "CPU µs/request", "CPU to 10 sandboxes", "RSS MiB", "bytes/sandbox"},
	}
	counts := []int{10, 1_000, 100_000}
	var started []rival
	defer func() {
		for _, r := range started {
			r.stop()
		}
	}()
	for _, n := range counts {
		r, err := b.edge(ctx, edgeOptions{name: fmt.Sprint(n), sandboxes: n})
		if err != nil {
			return err
		}
		started = append(started, r)
	}
	var idle []int64
	for _, r := range started {
		idle = append(idle, r.process.rss())
	}
	samples := make([][]sample, len(started))
	for range b.rounds {
		for i, r := range started {
			s, err := load(ctx, r, 50, b.duration)
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], s)
		}
	}
	for i, n := range counts {
		m, first := median(samples[i]), median(samples[0])
		t.row(fmt.Sprint(n), fmt.Sprintf("%.0f", m.rate()), micros(m.P50), micros(m.P99), fmt.Sprintf("%.1f", m.CPU),
			fmt.Sprintf("%.2f", m.CPU/first.CPU), fmt.Sprint(idle[i]>>20), fmt.Sprint((idle[i]-idle[0])/int64(n)))
		t.Samples = append(t.Samples, named{fmt.Sprint(n), samples[i]})
	}
	return b.report(t)
}

func micros(us float64) string {
	return (time.Duration(us) * time.Microsecond).Round(10 * time.Microsecond).String()
}
