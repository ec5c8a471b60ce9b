package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spanCollector receives what the standard OTLP exporter sends.
type spanCollector struct {
	mu    sync.Mutex
	spans []*trace.Span
}

func (c *spanCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var export collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range export.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// of returns the attributes of the span of a request id.
func (c *spanCollector) of(requestID string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		attributes := map[string]string{"name": s.Name}
		for _, a := range s.Attributes {
			attributes[a.Key] = a.Value.GetStringValue()
		}
		if attributes["opensandbox.request_id"] == requestID {
			return attributes
		}
	}
	return nil
}

func (c *spanCollector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, s := range c.spans {
		b.WriteString(s.String())
	}
	return b.String()
}

// Spans name the sandbox and the route and none of its secrets, and the trace goes on in
// the sandbox.
func TestSpans(t *testing.T) {
	collected := new(spanCollector)
	otlp := httptest.NewServer(collected)
	defer otlp.Close()
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20")

	parents := make(chan string, 10)
	r := newRig(t)
	port := r.place(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		parents <- r.Header.Get("Traceparent")
	}))
	r.load(r.toml(testKey, `[tracing]`, `enabled = true`, `[ingress]`, `mode = "gateway"`,
		`gateway.address = "*.sb.example.com"`, `gateway.route.mode = "wildcard"`))

	const parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	host := sandboxID + "-" + itoa(port)
	got := r.do(http.MethodGet, "/", "Host: "+host+".sb.example.com", "Traceparent: "+parent)
	require.Equal(t, http.StatusOK, got.status, got.body)
	passed := <-parents
	require.Contains(t, passed, parent[3:35], "the sandbox continues the client's trace")
	require.NotEqual(t, parent, passed, "with the edge's own span in between")

	r.do(http.MethodGet, "/a?token="+testKey[:10], "Host: "+host+"-x2qxvk-8b6de077a.sb.example.com", "X-Request-ID: traced", "X-Forwarded-For: 203.0.113.9")
	require.Eventually(t, func() bool { return collected.of("traced") != nil }, wait, tick)
	span := collected.of("traced")
	require.Equal(t, "GET", span["name"])
	require.Equal(t, "127.0.0.1", span["client.address"], "nobody is believed about the client")
	require.Equal(t, sandboxID, span["opensandbox.sandbox_id"])
	require.Equal(t, "wildcard", span["opensandbox.route"])
	require.Equal(t, host+"-x2qxvk-***.sb.example.com", span["server.address"])
	r.do(http.MethodGet, "/v1/sandboxes", keyHeader(testKey), "X-Request-ID: listed")
	require.Eventually(t, func() bool { return collected.of("listed") != nil }, wait, tick)
	for _, secret := range []string{"8b6de077a", testKey, testKey[:10]} {
		require.NotContains(t, collected.text(), secret)
	}
}
