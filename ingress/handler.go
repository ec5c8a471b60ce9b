package ingress

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/access"
	"github.com/opensandbox-edge/edge/ingress/attempts"
	"github.com/opensandbox-edge/edge/ingress/isolation"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/internal/quote"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Directory knows the sandboxes. Both methods are safe for concurrent use.
type Directory interface {
	// Lookup finds a sandbox in memory.
	Lookup(id string) (*lifecycle.Entry, bool)
	// Confirm says whether an entry may still be dialled (threat row K9).
	Confirm(ctx context.Context, e *lifecycle.Entry) error
}

// Options configure a Handler. Zero values are usable where not said otherwise.
type Options struct {
	Directory Directory       // required
	Upstreams *upstream.Pools // required; outlives the handler
	Core      upstream.Core   // what carries requests; "" = upstream.Direct
	Table     *route.Table    // required; the one the requests were classified with
	Keys      *auth.Keys      // required; never forwarded to a sandbox

	// Signatures verifies signed routes; nil = there are no keys. Attempts bounds the
	// guessing of signatures; it outlives the handler (nil = it does not).
	Signatures *sign.Policy
	Attempts   *attempts.Limiter
	// RequireSecure lets nobody in without an access token or a signed route, but for
	// requests to a daemon that asks for its own token.
	RequireSecure bool

	Toucher Toucher // nil = accesses are not counted
	// CORS is the policy on the ports of our own daemons; applications on other ports
	// have their own. nil adds nothing.
	CORS *auth.CORS
	// CodePrefix is the runtime's, e.g. "DOCKER" (the default).
	CodePrefix string
	// ForwardCredentials lets Cookie and Authorization through on direct routes, where
	// all sandboxes and the API share one origin.
	ForwardCredentials bool
	// HideExistence answers unknown, unready and refused sandboxes alike to everybody who
	// showed no valid credential.
	HideExistence bool
	// Waiting lets requests that were granted access wait for a sandbox on its way, for as
	// long as Wait; nil or 0 = they do not. MaxWaiting bounds how many, a quarter of it for
	// each sandbox. With AutoResume a request resumes a paused sandbox and waits for it.
	Waiting    *Waiting
	Wait       time.Duration
	MaxWaiting int
	AutoResume bool
	// Isolation keeps sandboxes of one web origin apart.
	Isolation isolation.Mode
	// AllowCrossSite lets other sites' pages open WebSockets and change things with the
	// user's cookies.
	AllowCrossSite bool
	// PreserveHost sends the client's Host to the sandbox instead of the sandbox's address.
	PreserveHost bool
	// MaxRequests bounds the requests, streams and WebSockets with one sandbox at once; 0 = no limit.
	MaxRequests int
	// Reserved tells requests over connections that are kept for others than sandboxes'
	// clients while the server is full; they are answered with 503. nil = none are.
	Reserved func(*http.Request) bool
	// Connection returns the client's connection under a request over HTTP/1, which is
	// asked whether the client is still there while the sandbox takes nothing from it. nil,
	// or a nil answer = it is not known.
	Connection func(*http.Request) net.Conn
	// OnGranted is called once access is granted and before a byte of the body is read.
	// A server adapter lifts its idle timeouts there: sandbox traffic may be silent for hours.
	OnGranted func(http.ResponseWriter, *http.Request)

	Metrics *Metrics     // nil = none
	Logger  *slog.Logger // nil = none
}

// Handler serves the sandbox routes. It is immutable and safe for concurrent use;
// connections live in Upstreams, so a handler can be replaced under traffic.
type Handler struct {
	Options
	failures failureLog
}

// New checks the options.
func New(o Options) (*Handler, error) {
	if o.Directory == nil || o.Upstreams == nil || o.Table == nil || o.Keys == nil {
		return nil, errors.New("ingress: a directory, upstreams, a route table and a key set are required")
	}
	if o.CodePrefix == "" {
		o.CodePrefix = "DOCKER"
	}
	if o.Attempts == nil {
		o.Attempts = attempts.New()
	}
	if o.Metrics == nil {
		o.Metrics = newMetrics()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{Options: o}, nil
}

// exchange is one request on its way through the handler.
type exchange struct {
	*Handler
	w        http.ResponseWriter
	r        *http.Request
	decision *auth.Decision
	route    route.Verdict
	upgrade  bool          // a WebSocket handshake
	stream   io.ReadCloser // what the client sends on an extended CONNECT; nil otherwise
	lifted   bool          // OnGranted was called
	status   int           // sent to the client; 0 = none
	origin   [4]string     // values of the X-Forwarded fields that the sandbox gets

	entry *lifecycle.Entry
	// grant is how access was granted, and proven that a credential was shown for it.
	grant  access.Answer
	proven bool
	addr   netip.AddrPort // of the upstream

	touches touches
}

// ServeHTTP carries a request whose verdict is Proxy or Gateway into its sandbox.
// Requests of any other class are 404: the caller routes by the verdict.
//
// When the sandbox fails in the middle of an answer, ServeHTTP panics with
// http.ErrAbortHandler, which is how net/http handlers abort a response.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	decision, ok := auth.FromContext(r.Context())
	if !ok {
		// Fail closed (threat row R2): the verdict was never made, or not by us.
		h.Logger.Error("sandbox route without authentication: the authentication handler is missing or runs later")
		apierror.Write(w, auth.Undecided)
		return
	}
	if c := decision.Route.Class; c != route.Proxy && c != route.Gateway {
		apierror.Write(w, errNotSandbox)
		return
	}
	x := &exchange{Handler: h, w: w, r: r, decision: decision, route: decision.Route}
	auth.EnsureRequestID(w.Header(), r)

	done := h.Metrics.begin(x)
	defer done()
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

// serve is the walk of one request; the error it returns has not been answered yet.
func (x *exchange) serve() error {
	if x.Reserved != nil && x.Reserved(x.r) {
		return x.serverFull()
	}
	if x.ownDaemon() && auth.IsPreflight(x.r) {
		x.status = http.StatusOK
		x.CORS.Preflight(x.w, x.r)
		return nil
	}
	if err := x.checkRequest(); err != nil {
		return err
	}
	if err := x.checkBrowser(); err != nil {
		return err
	}
	if err := x.enter(); err != nil {
		return err
	}
	place, err := x.takePlace()
	if err != nil {
		return err
	}
	defer place.Leave()
	x.touch()
	x.lift()
	return x.forward()
}

// lift tells the server adapter, once, that access was granted.
func (x *exchange) lift() {
	if x.OnGranted != nil && !x.lifted {
		x.lifted = true
		x.OnGranted(x.w, x.r)
	}
}

// fail answers with an error of ours.
func (x *exchange) fail(err error) {
	if errors.Is(err, errClientGone) {
		x.status = statusClientGone
		panic(http.ErrAbortHandler) // an empty 200 would be a lie
	}
	e := failure(err)
	x.status = e.Status
	x.logFailure(e)
	if x.ownDaemon() {
		x.CORS.Apply(x.w.Header(), x.r)
	}
	x.boundDrain()
	apierror.Answer(x.w, x.r, e)
}

// logFailure writes what the sandbox did wrong as a warning, and what the client did for
// debugging alone. The cause may quote the sandbox.
func (x *exchange) logFailure(e *apierror.Error) {
	level, suppressed := slog.LevelDebug, 0
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
		var ok bool
		if suppressed, ok = x.failures.allow(x.route.SandboxID, time.Now()); !ok {
			return
		}
	}
	attrs := []any{
		"sandbox_id", x.route.SandboxID, "port", x.route.Port, "status", e.Status, "code", e.Code,
		"cause", quote.Error(e.Cause), "request_id", x.decision.RequestID,
	}
	if suppressed > 0 {
		attrs = append(attrs, "suppressed", suppressed)
	}
	x.Logger.Log(x.r.Context(), level, "sandbox request failed", attrs...)
}

// ownDaemon tells routes to execd and the egress sidecar, which SDKs send credentials to.
func (x *exchange) ownDaemon() bool {
	return x.route.Port == wire.PortExecd || x.route.Port == wire.PortEgress
}
