package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/store"
	"github.com/opensandbox-edge/edge/test/edge"
)

const (
	manySandboxes = 10_000
	listCalls     = 200
	teams         = 50 // of the metadata that lists are filtered by
)

// apiTable measures the lifecycle API of a server with very many sandboxes, on a stand-in
// for the engine.
func apiTable(ctx context.Context, b *bench) error {
	none, err := withSandboxes(ctx, b, 0)
	if err != nil {
		return err
	}
	none.end(ctx)
	many, err := withSandboxes(ctx, b, manySandboxes)
	if err != nil {
		return err
	}
	defer many.end(ctx)
	t := table{
		Name: "api", Title: fmt.Sprintf("The API with %d sandboxes, on a stand-in for the engine", manySandboxes),
		Columns: []string{"what", "req/s", "p50", "p99", "CPU µs/request", "to /health"},
	}
	paths := []struct{ name, path string }{
		{"GET /health", "/health"},
		{"GET a sandbox", "/v1/sandboxes/" + uuidOf(manySandboxes/2)},
		{"GET an endpoint", "/v1/sandboxes/" + uuidOf(manySandboxes/2) + "/endpoints/44772"},
	}
	samples := make([][]sample, len(paths))
	for range b.rounds {
		for i, p := range paths {
			r := rival{address: many.Addr, path: p.path, headers: map[string]string{"OPEN-SANDBOX-API-KEY": many.Key}, pid: many.PID()}
			s, err := load(ctx, r, 50, b.duration)
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], s)
		}
	}
	health := median(samples[0])
	for i, p := range paths {
		m := median(samples[i])
		if m.Errors > 0 {
			return fmt.Errorf("%s: %d errors", p.name, m.Errors)
		}
		t.row(p.name, fmt.Sprintf("%.0f", m.rate()), micros(m.P50), micros(m.P99), fmt.Sprintf("%.1f", m.CPU), fmt.Sprintf("%.2f", m.CPU/health.CPU))
		t.Samples = append(t.Samples, named{p.name, samples[i]})
	}
	lists, err := many.lists(ctx)
	if err != nil {
		return err
	}
	t.row("list: page of 20, metadata filter", "–", micros(lists[len(lists)/2]), micros(lists[len(lists)*99/100]), "–", "–")
	t.Samples = append(t.Samples, named{"list", lists})
	t.row("restart: listed until ready", "–", many.ready.Round(time.Millisecond).String(), "–", "–", "–")
	t.row("memory", "–", fmt.Sprintf("%d MiB without a sandbox, %d with all", none.idle>>20, many.idle>>20), "–", "–",
		fmt.Sprintf("%d bytes each", (many.idle-none.idle)/manySandboxes))
	return b.report(t)
}

// crowded is a server with a stand-in for the engine.
type crowded struct {
	*lifecycleServer
	engine *standIn
	ready  time.Duration // from the list to /health
	idle   int64         // resident bytes once it was ready
}

func (c *crowded) end(ctx context.Context) {
	c.stop(ctx)
	c.engine.close()
}

// withSandboxes starts a server that finds as many sandboxes in its store and on its engine.
func withSandboxes(ctx context.Context, b *bench, n int) (*crowded, error) {
	dir, err := os.MkdirTemp(b.dir, "standin-")
	if err != nil {
		return nil, err
	}
	c := &crowded{}
	if c.lifecycleServer, err = newLifecycle(b, edge.Options{EngineSocket: filepath.Join(dir, "engine.sock")}); err != nil {
		return nil, err
	}
	if c.engine, err = serveStandIn(dir, c.Instance, n); err != nil {
		return nil, err
	}
	if err := fillStore(ctx, filepath.Join(c.Dir, "store"), n); err != nil {
		c.engine.close()
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		c.engine.close()
		return nil, err
	}
	c.ready = c.engine.sinceListed()
	c.idle, err = settled(ctx, c.PID())
	return c, err
}

// fillStore writes the records that a server which made the sandboxes would have left.
func fillStore(ctx context.Context, dir string, n int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s, err := store.Open(ctx, filepath.Join(dir, "opensandbox.db"))
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range n {
		r := lifecycle.Record{
			ID: uuidOf(i), Phase: lifecycle.Live, Image: "demo", Entrypoint: []string{"sleep", "3600"}, CreatedAt: made,
			Metadata: map[string]string{"team": fmt.Sprint("t", i%teams)}, ExecdToken: true,
		}
		if err := s.Put(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// lists returns the microseconds of each of many lists.
func (c *crowded) lists(ctx context.Context) ([]float64, error) {
	var times []float64
	for i := range listCalls {
		start := time.Now()
		var out struct {
			Items      []struct{ ID string }
			Pagination struct{ TotalItems int }
		}
		err := c.Call(ctx, http.MethodGet, fmt.Sprintf("/v1/sandboxes?pageSize=20&metadata=team%%3Dt%d", i%teams), nil, &out)
		if err != nil {
			return nil, err
		}
		if len(out.Items) != 20 || out.Pagination.TotalItems != manySandboxes/teams {
			return nil, fmt.Errorf("a list has %d of %d sandboxes", len(out.Items), out.Pagination.TotalItems)
		}
		times = append(times, float64(time.Since(start).Microseconds()))
	}
	slices.Sort(times)
	return times, nil
}
