package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// standIn is a container engine that has more sandboxes than this machine could run. It
// can list and inspect them, and nothing else.
type standIn struct {
	socket string
	server *http.Server
	list   []byte
	byName map[string]any
	listed atomic.Int64 // Unix nanoseconds: when it had been listed for the first time
}

func serveStandIn(dir, instance string, sandboxes int) (*standIn, error) {
	s := &standIn{socket: filepath.Join(dir, "engine.sock"), byName: make(map[string]any)}
	var summaries []any
	for n := range sandboxes {
		name := "/sandbox-" + uuidOf(n)
		labels := map[string]string{"opensandbox.io/id": uuidOf(n), "opensandbox.io/manual-cleanup": "true", "opensandbox.io/instance": instance}
		network := map[string]any{"Networks": map[string]any{"bridge": map[string]string{"IPAddress": fmt.Sprintf("172.18.%d.%d", n>>8, n&255)}}}
		summaries = append(summaries, map[string]any{
			"Id": fmt.Sprintf("%064x", n), "Names": []string{name}, "Image": "demo", "Command": "/opt/opensandbox/bootstrap.sh sleep 3600",
			"Created": made.Unix(), "Labels": labels, "State": "running", "Status": "Up 2 hours",
			"HostConfig": map[string]string{"NetworkMode": "bridge"}, "NetworkSettings": network,
		})
		s.byName[strings.TrimPrefix(name, "/")] = map[string]any{
			"Id": fmt.Sprintf("%064x", n), "Name": name, "Created": made.Format(time.RFC3339Nano),
			"State":      map[string]any{"Status": "running", "Running": true, "StartedAt": made.Format(time.RFC3339Nano), "FinishedAt": "0001-01-01T00:00:00Z"},
			"Config":     map[string]any{"Image": "demo", "Cmd": []string{"sleep", "3600"}, "Labels": labels},
			"HostConfig": map[string]string{"NetworkMode": "bridge"}, "NetworkSettings": network,
		}
	}
	var err error
	if s.list, err = json.Marshal(summaries); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", s.socket)
	if err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: s}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// made is when all of its sandboxes were.
var made = time.Now().Add(-2 * time.Hour).Truncate(time.Second).UTC()

// uuidOf is the id of the nth sandbox.
func uuidOf(n int) string { return fmt.Sprintf("0a1b2c3d-4e5f-4071-8293-%012x", n) }

func (s *standIn) close() { _ = s.server.Close() }

// ServeHTTP answers the calls of a server that starts and serves; others are 404.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	path := r.URL.Path
	if rest, versioned := strings.CutPrefix(path, "/v1."); versioned {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	name, inspect := strings.CutSuffix(strings.TrimPrefix(path, "/containers/"), "/json")
	switch {
	case path == "/_ping":
		_, _ = w.Write([]byte("OK"))
	case path == "/version":
		answerJSON(w, map[string]string{"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10", "Os": "linux", "Arch": "amd64"})
	case path == "/info":
		answerJSON(w, map[string]any{"OSType": "linux", "Architecture": "x86_64", "LoggingDriver": "json-file"})
	case path == "/events":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case path == "/containers/json" && !strings.Contains(r.URL.RawQuery, "auxiliary"):
		_, _ = w.Write(s.list)
		s.listed.CompareAndSwap(0, time.Now().UnixNano())
	case path == "/containers/json":
		_, _ = w.Write([]byte("[]"))
	case inspect && s.byName[name] != nil:
		answerJSON(w, s.byName[name])
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"a stand-in has none"}`))
	}
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// sinceListed is how long ago the server heard of the sandboxes.
func (s *standIn) sinceListed() time.Duration {
	return time.Since(time.Unix(0, s.listed.Load()))
}
