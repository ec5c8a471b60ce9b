package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// streams is the backend of long answers: /down?bytes=N sends, /up counts, /events sends
// events, /ws is a WebSocket that says nothing until it is spoken to.
type streams struct {
	address string
	server  *http.Server
}

func serveStreams() (*streams, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/down", sendBytes)
	mux.HandleFunc("/up", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("/events", sendEvents)
	mux.HandleFunc("/ws", echo)
	mux.HandleFunc("/v1/status", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
	s := &streams{address: l.Addr().String(), server: &http.Server{Handler: mux}}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

func (s *streams) close() { _ = s.server.Close() }

func sendBytes(w http.ResponseWriter, r *http.Request) {
	left, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil {
		http.Error(w, "bytes=N", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(left, 10))
	piece := make([]byte, 256<<10)
	for left > 0 {
		n, err := w.Write(piece[:min(left, int64(len(piece)))])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

// sendEvents sends one event at once and ends after the client has gone.
func sendEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "data: first\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for {
		kind, message, err := c.Read(context.WithoutCancel(r.Context()))
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

// through makes a request by way of a rival.
func (r rival) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.address+path, body)
	if err != nil {
		return nil, err
	}
	for name, value := range r.headers {
		req.Header.Set(name, value)
	}
	return req, nil
}

// streamRivals are the proxies in front of the stream backend.
func streamRivals(ctx context.Context, b *bench) (all []rival, stop func(), err error) {
	stop = func() {
		for _, r := range all {
			r.stop()
		}
	}
	all = append(all, rival{name: "no proxy", address: b.stream.address})
	for _, start := range []func() (rival, error){
		func() (rival, error) { return nginx(ctx, b.dir, b.stream.address) },
		func() (rival, error) { return stockCaddy(ctx, b.dir, b.stream.address) },
		func() (rival, error) {
			return b.edge(ctx, edgeOptions{
				name: "edge", port: portStreams,
				ingress: "max_requests_per_sandbox = 0", server: "max_connections_per_client = 0",
			})
		},
	} {
		r, err := start()
		if err != nil {
			stop()
			return nil, func() {}, err
		}
		all = append(all, r)
	}
	return all, stop, nil
}

// waitFor polls a condition that the programs under measurement reach by themselves.
func waitFor(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for !ready() {
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
