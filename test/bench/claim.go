package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/test/edge"
)

// claims takes sandboxes from a pool that is full each time, and says how long it took until
// the daemon of each had answered through the edge.
func (m *creating) claims(ctx context.Context) (took []time.Duration, err error) {
	const pool = "/v1/pools/bench"
	err = m.server.Call(ctx, http.MethodPost, "/v1/pools", map[string]any{
		"name": "bench",
		"template": map[string]any{"spec": map[string]any{"containers": []any{
			map[string]any{"image": m.server.DemoImage, "command": m.argv},
		}}},
		"capacitySpec": map[string]int{"bufferMin": 1, "bufferMax": 1, "poolMin": 0, "poolMax": 3},
	}, nil)
	if err != nil {
		return nil, err
	}
	for range creates {
		if err := m.filled(ctx, pool); err != nil {
			return nil, err
		}
		one, err := m.claim(ctx)
		if err != nil {
			return nil, err
		}
		took = append(took, one)
	}
	return took, m.server.Call(ctx, http.MethodDelete, pool, nil, nil)
}

// filled waits until a member is there and nothing is being made, which would be measured too.
func (m *creating) filled(ctx context.Context, pool string) error {
	return edge.Until(ctx, func() error {
		var now struct {
			Status struct{ Total, Available int }
		}
		if err := m.server.Call(ctx, http.MethodGet, pool, nil, &now); err != nil {
			return edge.Final(err)
		}
		if now.Status.Available != 1 || now.Status.Total != 1 {
			return fmt.Errorf("the pool has %+v", now.Status)
		}
		return nil
	})
}

func (m *creating) claim(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	sandbox, err := m.server.Create(ctx, edge.CreateRequest{Timeout: 600, Extensions: map[string]string{"poolRef": "bench"}})
	if err != nil {
		return 0, err
	}
	endpoint, err := m.server.Endpoint(ctx, sandbox.ID, 44772, "")
	if err != nil {
		return 0, err
	}
	route := m.server.Route(edge.Header, sandbox.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
	defer route.Close()
	status, body, err := route.Read(ctx, http.MethodGet, "/ping", nil, "")
	if err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("the first answer: %d %s: %w", status, body, err)
	}
	took := time.Since(start)
	return took, m.server.Delete(ctx, sandbox.ID)
}
