package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const eventStreams = 300

// eventTable measures how long the first event of a stream takes, on a connection that is
// open already.
func eventTable(ctx context.Context, b *bench) error {
	rivals, stop, err := streamRivals(ctx, b)
	defer stop()
	if err != nil {
		return err
	}
	t := table{
		Name: "sse", Title: fmt.Sprintf("First event of an event stream, %d streams one after the other", eventStreams),
		Columns: []string{"proxy", "p50", "p99", "added p50"},
	}
	var direct float64
	for i, r := range rivals {
		times, err := firstEvents(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		slices.Sort(times)
		p50, p99 := times[len(times)/2], times[len(times)*99/100]
		if i == 0 {
			direct = p50
		}
		t.row(r.name, micros(p50), micros(p99), micros(p50-direct))
		t.Samples = append(t.Samples, named{r.name, times})
	}
	return b.report(t)
}

// firstEvents returns microseconds from request to first event.
func firstEvents(ctx context.Context, r rival) ([]float64, error) {
	client := &http.Transport{DisableCompression: true}
	defer client.CloseIdleConnections()
	var times []float64
	for range eventStreams {
		took, err := firstEvent(ctx, r, client)
		if err != nil {
			return nil, err
		}
		times = append(times, float64(took.Microseconds()))
	}
	return times, nil
}

func firstEvent(ctx context.Context, r rival, client *http.Transport) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := r.request(ctx, http.MethodGet, "/events", nil)
	if err != nil {
		return 0, err
	}
	started := time.Now()
	res, err := client.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := res.Body.Read(make([]byte, 64)); err != nil {
		return 0, err
	}
	return time.Since(started), nil
}
