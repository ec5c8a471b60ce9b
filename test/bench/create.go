package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/test/edge"
)

const (
	creates  = 20 // of each kind, one after the other
	parallel = 20 // at the same time
)

// createTable sets what a sandbox costs beside what the same container costs on the bare
// engine, turn about.
func createTable(ctx context.Context, b *bench) error {
	floor, err := openEngine(ctx)
	if errors.Is(err, errNoEngine) {
		fmt.Println("\ncreate: LEFT OUT:", err)
		return nil
	}
	if err != nil {
		return err
	}
	s, err := startLifecycle(ctx, b, edge.Options{})
	if err != nil {
		return err
	}
	defer s.stop(ctx)
	m := &creating{floor: floor, server: s.Server, argv: []string{"/bin/sleep", "3600"}}
	if _, err := m.pair(ctx); err != nil { // the first one warms both up
		return err
	}
	var all []pair
	for range creates {
		one, err := m.pair(ctx)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	t := table{
		Name: "create", Title: fmt.Sprintf("A sandbox on the container engine, image present, %d of each in turn; milliseconds", creates),
		Columns: []string{"what", "engine alone p50", "p95", "server p50", "p95", "difference p50"},
	}
	for _, row := range []struct {
		name   string
		pick   func(pair) time.Duration
		engine func(pair) time.Duration
	}{
		{"create, until execd has answered", func(p pair) time.Duration { return p.create }, func(p pair) time.Duration { return p.floorRun }},
		{"first command through the edge", func(p pair) time.Duration { return p.command }, nil},
		{"delete", func(p pair) time.Duration { return p.remove }, func(p pair) time.Duration { return p.floorRemove }},
	} {
		ours := spread(all, row.pick)
		engine := []string{"–", "–"}
		difference := "–"
		if row.engine != nil {
			theirs := spread(all, row.engine)
			engine = []string{millis(theirs.p50), millis(theirs.p95)}
			difference = millis(ours.p50 - theirs.p50)
		}
		t.row(row.name, engine[0], engine[1], millis(ours.p50), millis(ours.p95), difference)
	}
	t.Samples = append(t.Samples, named{"one after the other", all})
	claims, err := m.claims(ctx)
	if err != nil {
		return fmt.Errorf("claims from a pool: %w", err)
	}
	warm := spread(claims, func(d time.Duration) time.Duration { return d })
	t.row("claim from a pool, until /ping through the edge has answered", "–", "–", millis(warm.p50), millis(warm.p95), "–")
	t.Samples = append(t.Samples, named{"claims", claims})
	wall, err := m.together(ctx, b.rounds)
	if err != nil {
		return err
	}
	t.row(fmt.Sprintf("%d at the same time, until the last", parallel), millis(wall.floor), "–", millis(wall.server), "–",
		fmt.Sprintf("%.2f ×", float64(wall.server)/float64(wall.floor)))
	t.Samples = append(t.Samples, named{"at the same time", wall.samples})
	return b.report(t)
}

// pair is one container of the bare engine and one sandbox, made one after the other.
type pair struct {
	floorRun, floorRemove   time.Duration
	create, command, remove time.Duration
}

type creating struct {
	floor  *engine
	server *edge.Server
	argv   []string
}

func (m *creating) pair(ctx context.Context) (p pair, err error) {
	start := time.Now()
	id, err := m.floor.run(ctx, m.server.DemoImage, m.argv)
	if err != nil {
		return p, fmt.Errorf("the engine: %w", err)
	}
	p.floorRun = time.Since(start)
	start = time.Now()
	if err := m.floor.remove(ctx, id); err != nil {
		return p, err
	}
	p.floorRemove = time.Since(start)

	start = time.Now()
	sandbox, err := m.create(ctx)
	if err != nil {
		return p, err
	}
	p.create = time.Since(start)
	endpoint, err := m.server.Endpoint(ctx, sandbox.ID, 44772, "")
	if err != nil {
		return p, err
	}
	route := m.server.Route(edge.Header, sandbox.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
	defer route.Close()
	start = time.Now()
	status, body, err := route.Read(ctx, http.MethodPost, "/command", strings.NewReader(`{"command":"true"}`), "application/json")
	if err != nil || status != http.StatusOK {
		return p, fmt.Errorf("the first command: %d %s: %w", status, body, err)
	}
	p.command = time.Since(start)
	start = time.Now()
	err = m.server.Delete(ctx, sandbox.ID)
	p.remove = time.Since(start)
	return p, err
}

func (m *creating) create(ctx context.Context) (edge.Sandbox, error) {
	r := edge.CreateRequest{Entrypoint: m.argv, Timeout: 600}
	r.Image.URI = m.server.DemoImage
	return m.server.Create(ctx, r)
}

// walls are how long it took until the last of many was there.
type walls struct {
	floor, server time.Duration // medians
	samples       []struct{ Floor, Server time.Duration }
}

func (m *creating) together(ctx context.Context, rounds int) (w walls, err error) {
	var floors, servers []time.Duration
	for range rounds {
		floor, err := all(func() (func() error, error) {
			id, err := m.floor.run(ctx, m.server.DemoImage, m.argv)
			return func() error { return m.floor.remove(ctx, id) }, err
		})
		if err != nil {
			return w, fmt.Errorf("the engine: %w", err)
		}
		server, err := all(func() (func() error, error) {
			sandbox, err := m.create(ctx)
			return func() error { return m.server.Delete(ctx, sandbox.ID) }, err
		})
		if err != nil {
			return w, err
		}
		floors, servers = append(floors, floor), append(servers, server)
		w.samples = append(w.samples, struct{ Floor, Server time.Duration }{floor, server})
	}
	slices.Sort(floors)
	slices.Sort(servers)
	w.floor, w.server = floors[len(floors)/2], servers[len(servers)/2]
	return w, nil
}

// all makes many at the same time, says how long that took, and removes them.
func all(one func() (undo func() error, err error)) (time.Duration, error) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		undos []func() error
		errs  []error
	)
	start := time.Now()
	for range parallel {
		wg.Go(func() {
			undo, err := one()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			undos = append(undos, undo)
		})
	}
	wg.Wait()
	took := time.Since(start)
	for _, undo := range undos {
		wg.Go(func() {
			if err := undo(); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return took, errors.Join(errs...)
}
