package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/problem"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// Options configures a Handler.
type Options struct {
	Log *slog.Logger
	// Self answers requests for the daemon's own port, with the prefix taken off the path.
	Self http.Handler
}

// Handler proxies to loopback ports. Make it with New.
type Handler struct {
	options   Options
	transport *http.Transport
	reverse   *httputil.ReverseProxy
	own       atomic.Int64 // the daemon's port
}

type targetKey struct{}

type target struct {
	port int
	url  *url.URL
	id   string // of the request, for backends that send none

	host  string // of the request, which the backend sees as well
	outer string // the prefix that a front serves the daemon under
}

// New makes a Handler with one connection pool for all ports.
func New(o Options) *Handler {
	h := &Handler{options: o}
	h.transport = &http.Transport{
		Proxy:               nil, // HTTP_PROXY is for the sandbox's outbound traffic
		DialContext:         dialLoopback,
		DisableCompression:  true, // bytes pass as they are
		MaxIdleConnsPerHost: 32,
		MaxIdleConns:        128,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   false,
	}
	h.reverse = &httputil.ReverseProxy{
		Rewrite:        h.rewrite,
		ModifyResponse: h.answer,
		Transport:      h.transport,
		FlushInterval:  -1,
		ErrorHandler:   h.fail,
		ErrorLog:       slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return h
}

// Own names the daemon's own port. It is never dialled, or a request could come round for
// ever; but endpoints of published ports name it like any other (contract 02 §7.3).
func (h *Handler) Own(port int) { h.own.Store(int64(port)) }

// Close drops idle connections.
func (h *Handler) Close() { h.transport.CloseIdleConnections() }

// ServePath proxies r; rest is the raw path after "/proxy".
func (h *Handler) ServePath(w http.ResponseWriter, r *http.Request, rest string) {
	port, raw, err := split(rest)
	var u *url.URL
	if err == nil {
		u, err = backend(r, port, raw)
	}
	if err != nil {
		apierror.Write(w, err)
		return
	}
	if int64(port) == h.own.Load() {
		self := r.Clone(r.Context())
		self.URL.Path, self.URL.RawPath = u.Path, u.RawPath
		h.options.Self.ServeHTTP(w, self)
		return
	}
	// A backend may answer while the request still comes; the server would take the rest
	// of the request away otherwise. HTTP/2 needs no word of it.
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	id := w.Header().Get(wire.HeaderRequestID)
	w.Header().Del(wire.HeaderRequestID) // the backend's headers are added, not set
	h.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, target{port, u, id, r.Host, outerPrefix(r.Header)})))
}

// answer gives the response the request's id unless the backend did, and has its
// Location lead back to the backend.
func (h *Handler) answer(res *http.Response) error {
	t, _ := res.Request.Context().Value(targetKey{}).(target)
	if res.Header.Get(wire.HeaderRequestID) == "" {
		res.Header.Set(wire.HeaderRequestID, t.id)
	}
	if locations := res.Header["Location"]; len(locations) > 0 {
		res.Header.Del("Location")
		if public, ok := t.publicLocation(locations[0]); ok {
			res.Header.Set("Location", public)
		}
	}
	return nil
}

func backend(r *http.Request, port int, raw string) (*url.URL, error) {
	raw = clean(raw)
	path, err := url.PathUnescape(raw)
	if err != nil {
		return nil, problem.Invalid("the path is not validly encoded")
	}
	return &url.URL{
		Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path: path, RawPath: raw, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery,
	}, nil
}

func (h *Handler) rewrite(p *httputil.ProxyRequest) {
	t := p.In.Context().Value(targetKey{}).(target) //nolint:forcetypeassert // ServePath is the only caller and always sets it
	p.Out.URL = t.url
	p.Out.Host = p.In.Host
	// SDKs send the credentials of the server and the gateway along with every request;
	// a process in the sandbox has no business with them.
	for _, name := range wire.Credentials {
		p.Out.Header.Del(name)
	}
	// Hop-by-hop headers and the forwarding headers are gone by now; the chain is
	// rebuilt as what came in plus the peer.
	if chain := p.In.Header["X-Forwarded-For"]; len(chain) > 0 {
		p.Out.Header["X-Forwarded-For"] = chain
	} else if real := p.In.Header.Get("X-Real-IP"); real != "" {
		p.Out.Header.Set("X-Forwarded-For", real)
	}
	proto := p.In.Header.Get("X-Forwarded-Proto")
	p.SetXForwarded()
	p.Out.Header.Del("X-Forwarded-Host")
	p.Out.Header.Set("X-Forwarded-Prefix", t.outer+t.prefix())
	if proto == "https" { // a front has ended TLS; the backend's links and cookies depend on it
		p.Out.Header.Set("X-Forwarded-Proto", proto)
	}
}

// fail answers when nothing came back from the backend.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	t, _ := r.Context().Value(targetKey{}).(target)
	h.options.Log.Debug("proxy", "port", t.port, "error", err)
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client has left
	}
	w.Header().Set(wire.HeaderRequestID, t.id)
	apierror.Write(w, apierror.New(http.StatusBadGateway, problem.RuntimeError,
		"Bad Gateway: nothing answers on port %d of the sandbox.", t.port).Because(err))
}

// dialLoopback tries both loopback addresses: programs differ in which they bind.
func dialLoopback(ctx context.Context, _, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		return conn, nil
	}
	if six, err6 := d.DialContext(ctx, "tcp", net.JoinHostPort("::1", port)); err6 == nil {
		return six, nil
	}
	return nil, err
}
