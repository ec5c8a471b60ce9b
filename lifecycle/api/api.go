package api

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
)

// Options says what a Handler serves and how. Service is required.
type Options struct {
	Service Service
	Log     *slog.Logger // default: slog.Default()

	// Pools serves the pool routes; nil = the runtime has none.
	Pools Pools
	// Snapshots serves the snapshot routes; nil = the runtime has none.
	Snapshots Snapshots

	// Concurrency is how many API requests may be in flight; one more is answered
	// 503. 0 = no limit. /health and the documentation pages are not counted.
	Concurrency int
	// RequireJSONType demands "Content-Type: application/json" of every request with
	// a body. It is to be set when no API key is configured (threat W2).
	RequireJSONType bool

	// Addresses is what endpoint answers are made from.
	Addresses address.Config

	// Signatures mints signed routes; nil = there are no signing keys.
	Signatures *sign.Policy
	// SecureDefault creates sandboxes as if secureAccess were true when a request says nothing.
	SecureDefault bool

	// CORS is the policy that authentication applies too; nil = no cross-origin answers,
	// as it has to be without an API key (threat W2).
	CORS *auth.CORS

	// Diagnostics makes reports; nil = the runtime has nothing to report.
	Diagnostics Diagnostics

	// Docs tells whether /docs, /redoc and /openapi.json are served.
	Docs DocsMode
}

// DocsMode switches the documentation pages.
type DocsMode uint8

// The documentation modes. The zero value serves the pages.
const (
	DocsServed DocsMode = iota
	DocsOff
)

// Handler serves the lifecycle API. It is safe for concurrent use.
type Handler struct {
	options Options
	service Service
	log     *slog.Logger
	table   *table
	limiter limiter

	ready  func() lifecycle.Readiness
	absent *apierror.Error // the answer where nothing is
}

// New makes a Handler. It fails only when the documents built into the program are broken.
func New(o Options) (*Handler, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	h := &Handler{options: o, service: o.Service, log: o.Log, ready: o.Service.Ready, absent: errNothing}
	h.limiter.limit = int64(o.Concurrency)
	endpoints, err := h.endpoints()
	if err != nil {
		return nil, fmt.Errorf("lifecycle API: %w", err)
	}
	h.table = newTable(endpoints)
	return h, nil
}

// Handles reports whether a request's verdict puts it into this handler's hands.
// Sandbox traffic is not; everything else is, so that it is answered with a 404 in
// the API's own shape.
func Handles(r *http.Request) bool {
	d, ok := auth.FromContext(r.Context())
	return !ok || d.Route.Class != route.Proxy && d.Route.Class != route.Gateway
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Authentication has given both already; a request that it never saw needs them too.
	auth.EnsureRequestID(w.Header(), r)
	h.options.CORS.Apply(w.Header(), r)
	defer h.recover(w, r)
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	decision, decided := auth.FromContext(r.Context())
	switch {
	case !decided:
		return h.unauthenticated(w, r, "no authentication handler ran before the lifecycle handler")
	case decision.Route.Err != nil:
		return decision.Route.Err
	case decision.Route.Class == route.Proxy || decision.Route.Class == route.Gateway:
		// A sandbox's host or path never reaches the API, whatever it spells (threat R3).
		return notFound()
	}
	if auth.IsPreflight(r) {
		// Browsers ask without the key; the answer is the same for every path.
		h.options.CORS.Preflight(w, r)
		return nil
	}
	// The path is read as the classifier read it, from the request line.
	m, found := h.table.find(route.FromHTTP(r).Path)
	if !found {
		return h.absent
	}
	if m.access != public && !(decision.Route.Class == route.API && decision.Allowed) {
		return h.unauthenticated(w, r, "authentication did not clear this request for the API")
	}
	if m.redirect != "" {
		return redirect(w, r, m.redirect)
	}
	serve := m.serving(r.Method)
	if serve == nil {
		w.Header().Set("Allow", m.allow())
		return apierror.New(http.StatusMethodNotAllowed, "GENERAL::METHOD_NOT_ALLOWED",
			"This path does not support the request's method.")
	}
	matched := &request{Request: r, params: m.params, prefix: m.prefix, query: parseQuery(r.URL.RawQuery), host: decision.Host, client: decision.KeyName}
	if m.access != needsKey {
		return serve(w, matched)
	}
	release, err := h.limiter.acquire(h.log)
	if err != nil {
		return err
	}
	defer release()
	if err := h.checkType(r); err != nil {
		return err
	}
	return serve(w, matched)
}

// unauthenticated logs what is wrong and is the one answer to it.
func (h *Handler) unauthenticated(w http.ResponseWriter, r *http.Request, why string) error {
	h.log.LogAttrs(r.Context(), slog.LevelError, "lifecycle request refused: "+why,
		requestID(w), slog.String("method", r.Method))
	return &silentError{auth.Undecided}
}

// silentError is an answer whose cause has been logged already.
type silentError struct{ answer *apierror.Error }

func (e *silentError) Error() string { return e.answer.Error() }
func (e *silentError) Unwrap() error { return e.answer }

var errNothing = apierror.New(http.StatusNotFound, "GENERAL::NOT_FOUND", "There is nothing at this path.")

func notFound() error { return errNothing }

// redirect answers a trailing slash. Location is a path: the host would come from
// the client (threat C4).
func redirect(w http.ResponseWriter, r *http.Request, path string) error {
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", path)
	return writeEmpty(w, http.StatusTemporaryRedirect)
}
