package ingress_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// exact sends a request and returns every byte of the answer.
func (e *edge) exact(t testing.TB, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	lines := strings.Split(string(answer), "\r\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Date:") }), "\r\n")
}

// hidden are the sandboxes that a stranger must not tell from one that does not exist.
var hidden = map[string]lifecycle.Entry{
	"refused":          {State: lifecycle.Running, SecureSum: tokenSum(accessToken)},
	"daemon refused":   {State: lifecycle.Running, ExecdTokenSum: tokenSum("T")},
	"starting":         {State: lifecycle.Pending},
	"starting, secure": {State: lifecycle.Pending, SecureSum: tokenSum(accessToken)},
	"paused":           {State: lifecycle.Paused},
	"ended, secure":    {State: lifecycle.Terminated, SecureSum: tokenSum(accessToken)},
}

// kinds are requests of all sorts, by name, as a stranger may send them along every form.
var kinds = map[string]func(f form) string{
	"GET":     func(f form) string { return f.head("GET", "/files", ending()...) + "\r\n" },
	"HEAD":    func(f form) string { return f.head("HEAD", "/x", ending()...) + "\r\n" },
	"OPTIONS": func(f form) string { return f.head("OPTIONS", "/x", ending()...) + "\r\n" },
	"preflight": func(f form) string {
		return f.head("OPTIONS", "/x", ending("Origin: http://a", "Access-Control-Request-Method: GET")...) + "\r\n"
	},
	"POST": func(f form) string { return f.head("POST", "/x", ending("Content-Length: 3")...) + "\r\nabc" },
	"expect": func(f form) string {
		return f.head("POST", "/x", ending("Content-Length: 3", "Expect: 100-continue")...) + "\r\n"
	},
	"websocket": func(f form) string {
		return f.head("GET", "/x", "X-Request-ID: r", "Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==") + "\r\n"
	},
	"browser": func(f form) string {
		return f.head("GET", "/x", ending("Accept: text/html", "Origin: http://a")...) + "\r\n"
	},
	"a wrong token": func(f form) string {
		return f.head("GET", "/x", ending("OpenSandbox-Secure-Access: wrong", "X-EXECD-ACCESS-TOKEN: wrong")...) + "\r\n"
	},
	"ping": func(f form) string { return f.head("GET", "/ping", ending()...) + "\r\n" },
	"ping with a wrong token": func(f form) string {
		return f.head("GET", "/ping", ending("X-EXECD-ACCESS-TOKEN: wrong")...) + "\r\n"
	},
}

func ending(extra ...string) []string { return append(extra, "Connection: close", "X-Request-ID: r") }

// Whatever a stranger asks, sandboxes that exist answer like those that do not.
func TestHiddenFromEveryKindOfRequest(t *testing.T) {
	e := newEdge(t, withKeys(signing(t)), func(o *ingress.Options) { o.HideExistence = true })
	addr, dialled := rawBackend(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	all := append(forms("44772"), signedForms(44772, "zzzzzz", "00000000a")...)
	for kind, request := range kinds {
		unknown := make([]string, len(all))
		for i, f := range all {
			unknown[i] = e.exact(t, request(f))
		}
		for name, entry := range hidden {
			entry.ID = id
			e.publish(t, entry, addr, 44772)
			for i, f := range all {
				require.Equal(t, unknown[i], e.exact(t, request(f)), "%s, %s, %s", kind, name, f.name)
			}
			e.Remove(id, lifecycle.ErrGone)
		}
	}
	require.Zero(t, dialled())
	require.Zero(t, e.touches.Load())

	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, ExecdTokenSum: tokenSum("T")}, addr, 44772)
	res, _ := e.raw(t, direct("44772").head("GET", "/ping", ending("X-EXECD-ACCESS-TOKEN: T")...)+"\r\n")
	require.Equal(t, 200, res.StatusCode, "whoever has the token may ask")
}

// Tokens of any length are refused in the same time: the long ones are not hashed.
func TestLongTokensAreWrong(t *testing.T) {
	long := strings.Repeat("t", 257)
	e := newEdge(t)
	addr, _ := rawBackend(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	for token, status := range map[string]int{long[1:]: 200, long: 401} {
		e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SecureSum: tokenSum(token)}, addr, 8080)
		res, _ := e.raw(t, direct("8080").head("GET", "/", ending("OpenSandbox-Secure-Access: "+token)...)+"\r\n")
		require.Equal(t, status, res.StatusCode, len(token))
		e.Remove(id, lifecycle.ErrGone)
		e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, ExecdTokenSum: tokenSum(token)}, addr, 44772)
		res, _ = e.raw(t, direct("44772").head("GET", "/", ending("X-EXECD-ACCESS-TOKEN: "+token)...)+"\r\n")
		require.Equal(t, status, res.StatusCode, len(token))
		e.Remove(id, lifecycle.ErrGone)
	}
}

func TestHiddenExistence(t *testing.T) {
	e := newEdge(t, withKeys(signing(t)), func(o *ingress.Options) { o.HideExistence = true })
	addr, dialled := rawBackend(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	end := []string{"Connection: close", "X-Request-ID: r"}
	all := append(forms("44772"), signedForms(44772, "zzzzzz", "00000000a")...)
	unknown := map[string]string{}
	for _, f := range all {
		unknown[f.name] = e.exact(t, f.head("GET", "/files", end...)+"\r\n")
		require.Contains(t, unknown[f.name], " 404 ")
	}
	for name, entry := range hidden {
		entry.ID = id
		e.publish(t, entry, addr, 44772)
		for _, f := range all {
			require.Equal(t, unknown[f.name], e.exact(t, f.head("GET", "/files", end...)+"\r\n"), "%s, %s", name, f.name)
		}
		e.Remove(id, lifecycle.ErrGone)
	}
	require.Zero(t, dialled())
	require.Zero(t, e.touches.Load())

	// Who has a credential is told the truth.
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Paused, SecureSum: tokenSum(accessToken)}, addr, 8080)
	res, _ := e.raw(t, direct("8080").head("GET", "/", append(end, "OpenSandbox-Secure-Access: "+accessToken)...)+"\r\n")
	require.Equal(t, 409, res.StatusCode)
}

// Without the option a sandbox that is not ready says so before it says no, and neither is
// waited for.
func TestNotReadyComesBeforeRefused(t *testing.T) {
	e := newWaiting(t, nil, withKeys(signing(t)), func(o *ingress.Options) { o.Wait = time.Hour })
	addr, _ := rawBackend(t, "")
	for state, status := range map[lifecycle.State]int{
		lifecycle.Pending: 503, lifecycle.Paused: 409, lifecycle.Terminated: 409, lifecycle.Running: 401,
	} {
		e.publish(t, lifecycle.Entry{ID: id, State: state, SecureSum: tokenSum(accessToken)}, addr, 8080)
		res, _ := e.do(t, direct("8080").request(t, e.edge, "GET", "/", nil)) // it would take an hour
		require.Equal(t, status, res.StatusCode, state)
	}
	require.Zero(t, e.touches.Load())
}

// A sandbox that moves before the first byte is decided about anew.
func TestAccessIsDecidedAgainWhenTheSandboxMoved(t *testing.T) {
	e := newEdge(t)
	addr, dialled := rawBackend(t, "")
	e.publish(t, lifecycle.Entry{ID: id, BackendID: "old", State: lifecycle.Running}, addr, 8080)
	confirmed := 0
	e.confirm = func(context.Context, *lifecycle.Entry) error {
		if confirmed++; confirmed > 1 {
			return nil
		}
		e.publish(t, lifecycle.Entry{ID: id, BackendID: "new", State: lifecycle.Running, SecureSum: tokenSum(accessToken)}, addr, 8080)
		return lifecycle.ErrStale
	}
	res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 401, res.StatusCode, body)
	require.Equal(t, ingress.CodeSecureAccess, code(t, body))
	require.Equal(t, 1, confirmed)
	require.LessOrEqual(t, dialled(), 1, "a connection to what it was before, without a byte of the request")
}

// BenchmarkExistence shows the medians that a stranger can measure with hide_existence,
// of sandboxes that are asked for in turn.
func BenchmarkExistence(b *testing.B) {
	e := newEdge(b, withKeys(signing(b)), func(o *ingress.Options) { o.HideExistence = true })
	addr, _ := rawBackend(b, "")
	requests := map[string]*http.Request{}
	took := map[string][]time.Duration{}
	ask := func(name, id string) {
		requests[name] = form{host: id + "-44772." + base}.request(b, e, "GET", "/files", nil)
	}
	ask("unknown", "nobody")
	for name, entry := range hidden {
		entry.ID = fmt.Sprintf("s%d", len(requests))
		e.publish(b, entry, addr, 44772)
		ask(name, entry.ID)
	}
	for b.Loop() {
		for name, r := range requests {
			began := time.Now()
			res, _ := e.do(b, r)
			took[name] = append(took[name], time.Since(began))
			if res.StatusCode != 404 {
				b.Fatal(name, res.StatusCode)
			}
		}
	}
	for name, all := range took {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), strings.NewReplacer(" ", "-", ",", "").Replace(name)+"-ns")
	}
}
