//go:build docker

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestExecdThroughTheEdge drives what the daemon offers beside plain commands and files.
func TestExecdThroughTheEdge(t *testing.T) {
	s := start(t, "")
	sandbox, token := create(t, s, request(s))
	route := s.Route(edge.URI, sandbox.ID, 44772, token)
	defer route.Close()
	call := func(t *testing.T, method, path, body string, want int, out any) string {
		t.Helper()
		status, text, err := route.Read(t.Context(), method, path, strings.NewReader(body), "application/json")
		require.NoError(t, err)
		require.Equal(t, want, status, "%s %s: %s", method, path, text)
		if out != nil {
			require.NoError(t, json.Unmarshal([]byte(text), out))
		}
		return text
	}
	firstID := func(t *testing.T, stream string) string {
		t.Helper()
		var event struct{ Type, Text string }
		require.NoError(t, json.Unmarshal([]byte(strings.SplitN(stream, "\n", 2)[0]), &event))
		require.Equal(t, "init", event.Type)
		return event.Text
	}

	t.Run("background command with logs by cursor", func(t *testing.T) {
		began := time.Now()
		id := firstID(t, call(t, "POST", "/command", `{"command":"echo one; sleep 0.2; echo two; sleep 60","background":true}`, 200, nil))
		require.Less(t, time.Since(began), 10*time.Second, "the answer does not wait for the command")
		cursor, got := "0", ""
		eventually(t, func() error {
			res, err := route.Do(t.Context(), http.MethodGet, "/command/"+id+"/logs?cursor="+cursor, nil, "")
			if err != nil {
				return edge.Final(err)
			}
			defer res.Body.Close()
			var b strings.Builder
			if _, err := copyTo(&b, res); err != nil {
				return edge.Final(err)
			}
			got, cursor = got+b.String(), res.Header.Get("EXECD-COMMANDS-TAIL-CURSOR")
			if got != "one\ntwo\n" {
				return errNotYet
			}
			return nil
		})
		var state struct {
			Running  bool `json:"running"`
			ExitCode *int `json:"exit_code"`
		}
		call(t, "GET", "/command/status/"+id, "", 200, &state)
		require.True(t, state.Running)
		require.Nil(t, state.ExitCode)
		call(t, "DELETE", "/command?id="+id, "", 200, nil)
		call(t, "GET", "/command/status/"+id, "", 200, &state)
		require.False(t, state.Running)
	})

	t.Run("interrupt ends the stream", func(t *testing.T) {
		res, err := route.Do(t.Context(), http.MethodPost, "/command", strings.NewReader(`{"command":"sleep 600"}`), "application/json")
		require.NoError(t, err)
		defer res.Body.Close()
		var head [256]byte
		n, err := res.Body.Read(head[:])
		require.NoError(t, err)
		call(t, "DELETE", "/command?id="+firstID(t, string(head[:n])), "", 200, nil)
		var rest strings.Builder
		_, err = copyTo(&rest, res)
		require.NoError(t, err)
		require.Contains(t, rest.String(), `"type":"error"`)
		require.NotContains(t, rest.String(), "execution_complete")
	})

	t.Run("directories, search, move, permissions", func(t *testing.T) {
		call(t, "POST", "/directories", `{"/tmp/d/e":{"mode":755}}`, 200, nil)
		require.NoError(t, route.Upload(t.Context(), "/tmp/d/e/a.txt", strings.NewReader("x")))
		call(t, "POST", "/files/mv", `[{"src":"/tmp/d/e/a.txt","dest":"/tmp/d/b.txt"}]`, 200, nil)
		call(t, "POST", "/files/permissions", `{"/tmp/d/b.txt":{"mode":600}}`, 200, nil)
		var found []struct {
			Path string
			Mode int
		}
		call(t, "GET", "/files/search?path=/tmp/d&pattern=*.txt", "", 200, &found)
		require.Len(t, found, 1)
		require.Equal(t, "/tmp/d/b.txt", found[0].Path)
		require.Equal(t, 600, found[0].Mode)
		call(t, "DELETE", "/directories?path=/tmp/d", "", 200, nil)
		call(t, "GET", "/files/info?path=/tmp/d", "", 404, nil)
	})

	t.Run("metrics", func(t *testing.T) {
		var m struct {
			CPUs  float64 `json:"cpu_count"`
			Used  float64 `json:"mem_used_mib"`
			Total float64 `json:"mem_total_mib"`
		}
		call(t, "GET", "/metrics", "", 200, &m)
		require.Positive(t, m.CPUs)
		require.Greater(t, m.Total, m.Used)
	})
}

func TestWebSocketThroughEveryRouteForm(t *testing.T) {
	s := start(t, "")
	r := request(s)
	r.Entrypoint = []string{"/usr/bin/demo-web"}
	sandbox, token := create(t, s, r)
	for _, form := range edge.Forms {
		route := s.Route(form, sandbox.ID, 8080, "")
		var conn *websocket.Conn
		eventually(t, func() (err error) {
			conn, err = route.WebSocket(t.Context(), "/ws")
			return err
		})
		require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte("hello "+form)))
		_, echo, err := conn.Read(t.Context())
		require.NoError(t, err)
		require.Contains(t, string(echo), "hello "+string(form))
		require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
		route.Close()

		// The same page by way of execd's own proxy: the daemon's token, any port.
		proxied := s.Route(form, sandbox.ID, 44772, token)
		status, page, err := proxied.Read(t.Context(), http.MethodGet, "/proxy/8080/", nil, "")
		require.NoError(t, err)
		require.Equal(t, 200, status, page)
		proxied.Close()
	}
}
