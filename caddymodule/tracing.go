package caddymodule

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/opensandbox-edge/edge/auth"
)

// traceAttributes describes the request in the span of Caddy's tracing handler, if one
// runs before ours, and masks what that handler has put there already: paths and hosts
// may hold signatures. The standard attributes are those of OpenTelemetry's HTTP
// conventions.
func traceAttributes(r *http.Request, d *auth.Decision) {
	span := trace.SpanFromContext(r.Context())
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("url.path", redactor.URI(r.URL.Path)),
		attribute.String("server.address", redactor.Text(r.Host)),
		attribute.String("user_agent.original", redactor.Text(r.UserAgent())),
	)
	if d.Client.IsValid() {
		// That handler believes whoever sends X-Forwarded-For.
		span.SetAttributes(attribute.String("client.address", d.Client.String()))
	}
	for _, field := range logFields(d) {
		if value := field.Value.String(); value != "" {
			span.SetAttributes(attribute.String("opensandbox."+field.Key, value))
		}
	}
}
