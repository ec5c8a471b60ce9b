package auth

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// Access is what a request needs to enter a sandbox, beside what the sandbox itself demands.
type Access uint8

// The access levels of sandbox routes (option require_access).
const (
	AccessOpen Access = iota // nothing: the SDKs call these routes without the key
	// AccessKey demands the API key on every port but the daemon's, which the sandbox's own
	// token protects; see Decision.KeyErr.
	AccessKey
)

// Mode tells whether the API may be served without any key.
type Mode uint8

// The modes. Without keys and without the operator's word for it nobody gets in.
const (
	ModeSecure   Mode = iota // a key is needed; none configured = none matches
	ModeInsecure             // declared by the operator; counts only while no key is configured
)

// Options configure an Authenticator.
type Options struct {
	Table  *route.Table // required
	Keys   *Keys        // required; may be empty
	Mode   Mode
	Access Access
	// Proxies are believed about the client they forward for; nil = nobody is.
	Proxies *forwarded.Proxies
	// CORS is put on refusals of API requests, so that web pages can read them; nil = none.
	CORS   *CORS
	Logger *slog.Logger // nil = none
}

// Authenticator classifies requests and decides which may go on. It is immutable but
// for its Keys, and safe for concurrent use.
type Authenticator struct{ opts Options }

// New checks the options.
func New(opts Options) (*Authenticator, error) {
	if opts.Table == nil || opts.Keys == nil {
		return nil, errors.New("auth: a route table and a key set are required")
	}
	if opts.Access == AccessKey && opts.Keys.Empty() {
		return nil, errors.New("auth: sandbox routes are to demand the API key, but none is configured")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Authenticator{opts: opts}, nil
}

// Authenticate decides about a classified request. The decision is valid only when the
// error is nil.
func (a *Authenticator) Authenticate(r *http.Request, v route.Verdict) (Decision, *apierror.Error) {
	if v.Err != nil {
		return Decision{}, v.Err
	}
	if err := checkReplay(r); err != nil {
		return Decision{}, err
	}
	d := Decision{Route: v, Origin: a.opts.Proxies.Read(r)}
	keyErr := a.matchKey(r, &d)
	switch v.Class {
	case route.Public:
		return d, nil
	case route.Proxy, route.Gateway:
		if a.insecure() && v.Form != route.FormWildcard {
			// A page on a name that rebinding points here would read every sandbox. Hosts under
			// the wildcard base are names of the operator's.
			if _, err := a.knownHost(d.Host); err != nil {
				return Decision{}, err
			}
		}
		if a.opts.Access != AccessKey || keyErr == nil {
			return d, nil
		}
		if v.Port != wire.PortExecd {
			return Decision{}, keyErr
		}
		d.KeyErr = keyErr // SDKs send the daemon its own token, and never the key
		return d, nil
	}
	// The API, and paths that are nothing: without a key nobody learns which.
	if a.insecure() {
		if err := a.checkBrowser(r, d.Host); err != nil {
			return Decision{}, err
		}
		d.Allowed = true
		return d, nil
	}
	// Browsers send preflights without the key; the answer tells nothing.
	if keyErr != nil && !IsPreflight(r) {
		return Decision{}, keyErr
	}
	return d, nil
}

// insecure tells that the API is served without a key.
func (a *Authenticator) insecure() bool {
	return a.opts.Mode == ModeInsecure && a.opts.Keys.Empty()
}

// matchKey notes a valid key in d and says what is wrong with the one sent otherwise.
func (a *Authenticator) matchKey(r *http.Request, d *Decision) *apierror.Error {
	values := r.Header[wire.HeaderAPIKey]
	if len(values) == 0 || (len(values) == 1 && values[0] == "") {
		return errMissingKey
	}
	name, ok := a.opts.Keys.Match(values[0])
	if !ok || len(values) > 1 {
		return errInvalidKey
	}
	d.Allowed, d.KeyName = true, name
	return nil
}

// Admit classifies and authenticates a request and gives it a request id, which it also
// sets on the response. The returned request carries the Decision for the handlers behind.
func (a *Authenticator) Admit(w http.ResponseWriter, r *http.Request) (*http.Request, *apierror.Error) {
	id := EnsureRequestID(w.Header(), r)
	d, err := a.Authenticate(r, a.opts.Table.Classify(route.FromHTTP(r)))
	if err != nil {
		return r, err
	}
	d.RequestID = id
	return r.WithContext(NewContext(r.Context(), &d)), nil
}

// Refuse answers a request that Admit did not let pass.
func (a *Authenticator) Refuse(w http.ResponseWriter, r *http.Request, err *apierror.Error) {
	a.opts.Logger.Debug("request refused", "code", err.Code, "status", err.Status,
		"request_id", w.Header().Get(wire.HeaderRequestID))
	if err.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	if err.Status == http.StatusUnauthorized {
		a.opts.CORS.Apply(w.Header(), r)
	}
	apierror.Answer(w, r, err)
}
