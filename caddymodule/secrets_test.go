package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/require"
)

// panics is a handler of a third party that panics with what the client sent.
type panics struct{}

func init() { caddy.RegisterModule(panics{}) }

func (panics) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_panics", New: func() caddy.Module { return new(panics) }}
}

// The secrets that the test sends, each wherever a client may put it.
const (
	seedExecd     = "seeded-execd-token-000001"
	seedEgress    = "seeded-egress-token-00002"
	seedAccess    = "seeded-secure-access-0003"
	seedCookie    = "seeded-cookie-value-00004"
	seedQuery     = "seeded-query-value-000005"
	seedSignature = "8b6de077a"
	seedPassword  = "seeded-password-0000006"
)

// TestNoLoggerShowsASecret is threat row X7: all loggers at debug level, every kind of
// route, answers of a hostile sandbox, and a panic.
func TestNoLoggerShowsASecret(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			r := newRig(t)
			port := r.place(hostile())
			path := r.toml(testKey, fmt.Sprintf("format = %q", format), `[ingress]
mode = "gateway"
[ingress.gateway]
address = "*.sandbox.localhost"
also = [{ mode = "uri", address = "127.0.0.1" }, { mode = "header", address = "127.0.0.1" }]
[ingress.gateway.route]
mode = "wildcard"
[renew_intent.redis]
dsn = "redis://:`+seedPassword+`@db.example:6379/0"`)
			adapted := string(r.adapt(path))
			require.NotContains(t, adapted, testKey)
			require.NotContains(t, adapted, seedPassword)
			// A site beside the edge panics with the client's own words; Caddy's access
			// log is asked for credentials on top.
			adapted = replaceOnce(t, adapted, `"routes": [`, `"routes": [{"match":[{"path":["/panic"]}],"handle":[{"handler":"test_panics"}],"terminal":true},`)
			adapted = replaceOnce(t, adapted, `"logs": {}`, `"logs": {"should_log_credentials": true}`)
			adapted = replaceOnce(t, adapted, `"level": "INFO"`, `"level": "DEBUG"`)
			require.NoError(t, caddy.Load([]byte(adapted), true))
			r.ready()

			drive(r, port)
			require.NoError(t, caddy.Stop())
			all := logs(t, r.dir)
			require.Contains(t, all, "/panic", "the panic was logged")
			require.Contains(t, all, sandboxID)
			for _, secret := range []string{
				testKey, seedExecd, seedEgress, seedAccess, seedCookie, seedQuery, seedSignature, seedPassword, "another-wrong-key",
			} {
				require.NotContains(t, all, secret)
			}
			require.NotContains(t, all, "\x1b", "no terminal escapes")
			require.NotContains(t, all, "\u202e")
			for _, line := range strings.Split(all, "\n") {
				require.False(t, strings.HasPrefix(line, "forged"), line)
			}
		})
	}
}

func TestThePasswordOfRedisIsMaskedByItself(t *testing.T) {
	for dsn, want := range map[string][]string{
		"redis://:p%40ssword-1@h:6379/0": {"p@ssword-1", "p%40ssword-1"}, "unix://user:word-2@/run/redis.sock": {"word-2", "word-2"},
		"redis://h:6379/0": nil, "": nil,
	} {
		require.Equal(t, append([]string{dsn}, want...), dsnSecrets(dsn))
	}
}

// hostile answers with everything a sandbox can put into an answer.
func hostile() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session="+seedCookie)
		w.Header().Set("X-Echo", "https://user:"+seedPassword+"@h/?x="+seedQuery)
		switch r.URL.Path {
		case "/redirect":
			w.Header().Set("Location", "https://evil.example/?"+seedQuery)
			w.WriteHeader(http.StatusFound)
		case "/broken":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 999 "+seedQuery+"\r\nforged: \x1b[31m\r\n\r\n")
				_ = conn.Close()
			}
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	})
}

// drive sends the secrets over every route.
func drive(r *rig, port int) {
	headers := []string{
		keyHeader(testKey), "X-EXECD-ACCESS-TOKEN: " + seedExecd, "OPENSANDBOX-EGRESS-AUTH: " + seedEgress,
		"OpenSandbox-Secure-Access: " + seedAccess, "Cookie: a=" + seedCookie, "Authorization: Bearer " + testKey,
		"Proxy-Authorization: Basic " + seedPassword, "Referer: http://h/x?q=" + seedQuery,
		"X-Request-ID: id-\u202e-forged", "Sec-WebSocket-Protocol: " + seedExecd, "X-Other: " + testKey,
	}
	label := fmt.Sprintf("%s-%d", sandboxID, port)
	for _, target := range []string{
		"/v1/sandboxes?key=" + seedQuery, "/v1/sandboxes/nothing?" + seedQuery, "/v1/" + testKey, "/health?" + seedQuery, "/docs?url=" + seedQuery,
		"/nothing/" + testKey + "?" + seedQuery, "/nothing/" + seedPassword, "/sandboxes/a%2Fb?" + seedQuery,
		fmt.Sprintf("/sandboxes/%s/proxy/%d/x?%s", sandboxID, port, seedQuery),
		fmt.Sprintf("/sandboxes/%s/proxy/%d/redirect?%s", sandboxID, port, seedQuery),
		fmt.Sprintf("/sandboxes/%s/proxy/%d/broken?%s", sandboxID, port, seedQuery),
		fmt.Sprintf("/sandboxes/%s/proxy/44772/command?%s", sandboxID, seedQuery),
		fmt.Sprintf("/%s/%d/x?%s", sandboxID, port, seedQuery),
		fmt.Sprintf("/%s/%d/x2qxvk/%s/x?%s", sandboxID, port, seedSignature, seedQuery),
		fmt.Sprintf("/%s/%d/x2qxvk/%sa/x", sandboxID, port, seedSignature),
		fmt.Sprintf("/%s/%d/11111111111111/%s/x", sandboxID, port, seedSignature),
		"/panic?" + seedQuery,
	} {
		for _, extra := range [][]string{nil, {"Host: " + label + ".sandbox.localhost"}, {"Host: " + label + "-x2qxvk-" + seedSignature + ".sandbox.localhost"}, {"OpenSandbox-Ingress-To: " + label}, {"Host: " + label + "-0x2qxvk-" + seedSignature + ".sandbox.localhost"}, {"OpenSandbox-Ingress-To: " + label + "-11111111111111-" + seedSignature + ".x"}} {
			_, _ = r.try(http.MethodGet, target, append(extra, headers...)...)
		}
		_, _ = r.try(http.MethodPost, target, keyHeader("another-wrong-key"))
	}
	raw(r, "GET /v1/sandboxes?"+seedQuery+" HTTP/1.1\r\nHost: a\r\nHost: "+testKey+"\r\n\r\n")
	raw(r, "\x16\x03\x01forged\r\n\r\n")
	raw(r, "GET http://user:"+seedPassword+"@h/v1/sandboxes HTTP/1.1\r\nHost: h\r\nOPEN-SANDBOX-API-KEY: "+testKey+"\r\n\r\n")
}

func raw(r *rig, request string) {
	conn, err := (&net.Dialer{}).DialContext(r.t.Context(), "tcp", r.addr)
	require.NoError(r.t, err)
	defer conn.Close()
	_, _ = io.WriteString(conn, request)
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, conn)
}

// logs returns all that was logged, by every logger.
func logs(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.log*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all bytes.Buffer
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

func (panics) ServeHTTP(_ http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	panic(fmt.Sprintf("cannot handle %s with %v", r.URL, r.Header))
}
