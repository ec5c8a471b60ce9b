package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"golang.org/x/net/http/httpguts"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/lane"
	"github.com/opensandbox-edge/edge/ingress/route"
)

// client is a connection that was taken over from one of Caddy's servers after a request
// into a sandbox. It is served by whatever configuration is in force, and goes back to
// Caddy with the first request that is not for a sandbox or that is refused.
type client struct {
	state   *state
	server  string // the name of the server it came from
	counted bool   // the request at hand is in the count of requests already
}

// clientServer says how the clients of one server are kept; it is part of a
// configuration's settings.
type clientServer struct {
	access      *zap.Logger // nil = no access log
	credentials bool        // the access log shows them; our encoder masks them all the same
}

// keepClients notes that the sandbox requests of a server are for nobody but
// opensandbox_ingress. It does nothing where Caddy's server does more with a request than
// the lane would.
func (s *settings) keepClients(ctx caddy.Context, server *caddyhttp.Server) {
	if !s.config.Ingress.KeepClients || s.config.Tracing.Enabled ||
		len(server.ExpectedUnderscoreHeaders)+len(server.ExpectedDotHeaders) > 0 {
		return
	}
	kept := new(clientServer)
	if logs := server.Logs; logs != nil {
		if len(logs.LoggerNames)+len(logs.SkipHosts) > 0 || logs.SkipUnmappedHosts {
			return // which requests are logged depends on their host
		}
		kept.access = ctx.Logger(loggerName(accessLog))
		if logs.DefaultLoggerName != "" {
			kept.access = kept.access.Named(logs.DefaultLoggerName)
		}
		kept.credentials = logs.ShouldLogCredentials
	}
	if s.clientServers == nil {
		s.clientServers = map[string]*clientServer{}
	}
	s.clientServers[server.Name()] = kept
	server.RegisterOnStop(func(ctx context.Context) error {
		if running := pooledState(); running != nil && caddy.Exiting() {
			running.shutdownClients(ctx)
		}
		return nil
	})
}

// takeOver takes the connection of a request into the lane, where the request is answered
// as well. It returns false when the request stays with Caddy.
func (e *edge) takeOver(s *state, w http.ResponseWriter, r *http.Request) bool {
	conn, ok := r.Context().Value(connKey{}).(lane.Conn)
	if !ok || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.TLS != nil || r.Close {
		return false
	}
	if len(r.Header["Upgrade"]) > 0 && !httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket") {
		return false
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || e.settings.clientServers[server.Name()] == nil {
		return false
	}
	conn.Keep()
	_, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	// Nobody has read of the content: our handlers do not, and there are no others.
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true) // the lane writes the line
	unread, _ := buffered.Reader.Peek(buffered.Reader.Buffered())
	s.inflight.Enter()                           // before this handler's own count ends
	first := r.WithContext(context.Background()) // a WebSocket would keep what hangs on Caddy's
	kept := &client{state: s, server: server.Name(), counted: true}
	if !e.parts.clients.Take(lane.Taken{
		Conn: conn, Handler: kept.serve, First: first, Unread: unread,
		Ready: r.Context().Done(), // net/http cancels it when all handlers have returned
	}) {
		s.inflight.Leave()
		_ = conn.Close()
	}
	return true
}

// serve implements lane.Handler.
func (c *client) serve(w http.ResponseWriter, r *http.Request) bool {
	if !c.counted {
		c.state.inflight.Enter()
	}
	c.counted = false
	defer c.state.inflight.Leave()

	e := c.state.edge()
	if e == nil {
		return false
	}
	server := e.settings.clientServers[c.server]
	if server == nil || !asCaddyWould(r) {
		return false
	}
	w.Header()["Server"] = serverHeader
	admitted, refused := e.settings.authenticator.Admit(w, r)
	if refused != nil {
		return false
	}
	decision, _ := auth.FromContext(admitted.Context())
	if decision.Route.Class != route.Proxy && decision.Route.Class != route.Gateway {
		return false
	}
	if server.access != nil {
		defer server.log(w, r, decision, time.Now())
	}
	e.ingress.ServeHTTP(w, admitted)
	return true
}

var serverHeader = []string{caddyhttp.ServerHeader}

// asCaddyWould does what Caddy's server does before its handlers: it takes out headers
// whose names CGI-like applications fold into others (threat row R7). It returns false
// for what Caddy has an answer of its own to.
func asCaddyWould(r *http.Request) bool {
	const longestMethod = 32
	if len(r.Method) > longestMethod || strings.Trim(r.Host, ".") == "" {
		return false
	}
	for name := range r.Header {
		if strings.IndexByte(name, '_') >= 0 || strings.IndexByte(name, '.') >= 0 {
			delete(r.Header, name)
		}
	}
	return true
}

// log writes the access line that Caddy's server would write.
func (s *clientServer) log(w http.ResponseWriter, r *http.Request, d *auth.Decision, start time.Time) {
	answer := w.(lane.Answer)
	status, level := answer.Status(), zap.InfoLevel
	if status >= http.StatusInternalServerError {
		level = zap.ErrorLevel
	}
	stands := 1
	if d.KeyName == "" && status >= 400 && status <= 499 {
		if stands = refusals.Take(time.Now()); stands == 0 {
			return
		}
	}
	line := s.access.Check(level, "handled request")
	if line == nil {
		return
	}
	vars := map[string]any{caddyhttp.ClientIPVarKey: d.Client.String()}
	fields := []zap.Field{
		zap.Object("request", caddyhttp.LoggableHTTPRequest{
			Request:              r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, vars)),
			ShouldLogCredentials: s.credentials,
		}),
		zap.Int("bytes_read", answer.Received()),
		zap.String("user_id", ""),
		zap.Duration("duration", time.Since(start)),
		zap.Int("size", answer.Size()),
		zap.Int("status", status),
		zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: w.Header(), ShouldLogCredentials: s.credentials}),
	}
	for _, f := range logFields(d) {
		fields = append(fields, zap.String(f.Key, f.Value.String()))
	}
	if stands > 1 {
		fields = append(fields, zap.Int("stands_for", stands))
	}
	line.Write(fields...)
}

// newLane makes the lane that clients are kept in.
func newLane(s *state) *lane.Lane {
	return lane.New(lane.Options{
		HeadTimeout: readHeaderTimeout,
		IdleTimeout: func() time.Duration {
			if e := s.edge(); e != nil {
				return e.settings.config.Server.IdleTimeout()
			}
			return time.Second
		},
		Logger: s.root.logger().With("part", "clients"),
	})
}

// shutdownClients lets the requests of kept clients end, and no new ones begin.
func (s *state) shutdownClients(ctx context.Context) {
	s.mu.Lock()
	opened := s.opened
	s.mu.Unlock()
	if opened != nil {
		_ = opened.clients.Shutdown(ctx)
	}
}
