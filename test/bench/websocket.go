package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// idleSockets are opened where the limit of open files allows it.
const idleSockets = 10_000

// websocketTable holds ten thousand idle WebSockets through each proxy, and then asks
// every hundredth for an echo.
func websocketTable(ctx context.Context, b *bench) error {
	// Each takes two files here, where both its ends are, and two in the proxy, of which
	// ours keeps some for its API.
	sockets := min(idleSockets, (int(raiseFiles())-2000)/2)
	rivals, stop, err := streamRivals(ctx, b)
	defer stop()
	if err != nil {
		return err
	}
	t := table{
		Name: "websocket", Title: fmt.Sprintf("%d idle WebSockets", sockets),
		Columns: []string{"proxy", "opened", "RSS MiB before", "with all open", "KiB each", "echo p50"},
	}
	for _, r := range rivals[1:] {
		if err := holdSockets(ctx, r, sockets, &t); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return b.report(t)
}

func holdSockets(ctx context.Context, r rival, sockets int, t *table) error {
	before := r.process.rss()
	var (
		mu   sync.Mutex
		open []*websocket.Conn
		wg   sync.WaitGroup
		fail error
	)
	header := http.Header{}
	for name, value := range r.headers {
		header.Set(name, value)
	}
	defer func() {
		for _, c := range open {
			_ = c.CloseNow()
		}
	}()
	for range 50 {
		wg.Go(func() {
			for range sockets / 50 {
				c, res, err := websocket.Dial(ctx, "ws://"+r.address+"/ws", &websocket.DialOptions{HTTPHeader: header})
				if res != nil && res.Body != nil {
					_ = res.Body.Close()
				}
				mu.Lock()
				if err != nil {
					fail = err
				} else {
					open = append(open, c)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if fail != nil {
		return fmt.Errorf("after %d sockets: %w", len(open), fail)
	}
	// Memory that the handshakes took is given back for a while after them.
	last := r.process.rss()
	steady := 0
	if err := waitFor(ctx, func() bool {
		now := r.process.rss()
		if now < last {
			steady = 0
		}
		last, steady = now, steady+1
		return steady > 60
	}); err != nil {
		return err
	}
	var echoes []sample
	for i := 0; i < len(open); i += 100 {
		started := time.Now()
		if err := open[i].Write(ctx, websocket.MessageText, []byte("ping")); err != nil {
			return err
		}
		if _, _, err := open[i].Read(ctx); err != nil {
			return err
		}
		echoes = append(echoes, sample{CPU: float64(time.Since(started).Microseconds())})
	}
	t.row(r.name, fmt.Sprint(len(open)), fmt.Sprint(before>>20), fmt.Sprint(last>>20),
		fmt.Sprintf("%.1f", float64(last-before)/1024/float64(len(open))), micros(median(echoes).CPU))
	t.Samples = append(t.Samples, named{r.name, map[string]any{"before": before, "open": last, "sockets": len(open)}})
	return nil
}
