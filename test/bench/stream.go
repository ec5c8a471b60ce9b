package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const gibibyte = 1 << 30

// transfer is one gibibyte in one direction.
type transfer struct {
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_seconds"`
	RSSAfter int64   `json:"rss_after"`
}

// streamTable moves one gibibyte down and up.
func streamTable(ctx context.Context, b *bench) error {
	rivals, stop, err := streamRivals(ctx, b)
	defer stop()
	if err != nil {
		return err
	}
	t := table{
		Name: "stream", Title: "One gibibyte in one request",
		Columns: []string{"proxy", "down MiB/s", "up MiB/s", "down to stock Caddy", "up to stock Caddy", "CPU s down", "CPU s up", "RSS MiB before", "after"},
	}
	const reference = 2
	type row struct {
		down, up []transfer
		before   int64
	}
	rows := make([]row, len(rivals))
	for i, r := range rivals {
		if r.process != nil {
			rows[i].before = r.process.rss()
		}
	}
	for range b.rounds {
		for i, r := range rivals {
			down, err := move(ctx, r, "GET", fmt.Sprintf("/down?bytes=%d", gibibyte), nil)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			up, err := move(ctx, r, "POST", "/up", io.LimitReader(zeros{}, gibibyte))
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			rows[i].down, rows[i].up = append(rows[i].down, down), append(rows[i].up, up)
		}
	}
	stockDown, stockUp := best(rows[reference].down), best(rows[reference].up)
	for i, r := range rivals {
		down, up := best(rows[i].down), best(rows[i].up)
		t.row(r.name, rate(down), rate(up),
			fmt.Sprintf("%.2f", stockDown.Seconds/down.Seconds), fmt.Sprintf("%.2f", stockUp.Seconds/up.Seconds),
			fmt.Sprintf("%.2f", down.CPU), fmt.Sprintf("%.2f", up.CPU),
			fmt.Sprint(rows[i].before>>20), fmt.Sprint(up.RSSAfter>>20))
		t.Samples = append(t.Samples, named{r.name, map[string][]transfer{"down": rows[i].down, "up": rows[i].up}})
	}
	return b.report(t)
}

func rate(t transfer) string { return fmt.Sprintf("%.0f", (gibibyte>>20)/t.Seconds) }

// best is the quickest: a stream is long enough that only disturbance makes it slower.
func best(all []transfer) transfer {
	b := all[0]
	for _, t := range all[1:] {
		if t.Seconds < b.Seconds {
			b = t
		}
	}
	return b
}

func move(ctx context.Context, r rival, method, path string, body io.Reader) (transfer, error) {
	req, err := r.request(ctx, method, path, body)
	if err != nil {
		return transfer{}, err
	}
	if body != nil {
		req.ContentLength = gibibyte
	}
	client := &http.Transport{DisableCompression: true, WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10}
	defer client.CloseIdleConnections()
	used, started := r.cpu(), time.Now()
	res, err := client.RoundTrip(req)
	if err != nil {
		return transfer{}, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		return transfer{}, err
	}
	if res.StatusCode != http.StatusOK || (method == http.MethodGet && n != gibibyte) {
		return transfer{}, errors.New("the stream did not arrive whole: " + res.Status)
	}
	t := transfer{Seconds: time.Since(started).Seconds(), CPU: (r.cpu() - used).Seconds()}
	if r.process != nil {
		t.RSSAfter = r.process.rss()
	}
	return t, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
