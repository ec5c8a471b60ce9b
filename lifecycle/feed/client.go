package feed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// maxEntries bounds the sandboxes a client takes from its server.
const maxEntries = 1 << 18

// ClientOptions configure a Client. URL and Key are required.
type ClientOptions struct {
	URL    string      // of the lifecycle server: http://host[:port] or https://…
	Key    secret.Text // an API key of it
	CAFile string      // PEM; "" = the system's authorities
	Logger *slog.Logger
	// OnSynced is called once, when the first snapshot is complete; nil = nobody wants to know.
	OnSynced func()

	// Only tests set these.
	silence    time.Duration // after which a stream counts as broken; 5 s
	staleAfter time.Duration // after which an address is confirmed before it is used; 2 s
}

// Client keeps a directory like that of a lifecycle server. It is safe for concurrent use.
type Client struct {
	o         ClientOptions
	base      string
	local     bool // the server is on this machine
	log       *slog.Logger
	http      *http.Client
	directory *lifecycle.Directory
	metrics   *metrics
	prober    lifecycle.Prober

	writing sync.Mutex  // held by whoever changes the directory
	synced  atomic.Bool // there was a whole snapshot
	served  atomic.Bool // … and OnSynced has returned: requests are served with it
	runtime atomic.Pointer[string]
	heard   atomic.Int64 // Unix nanoseconds: when the directory was last known to be right
	deaf    atomic.Int64 // likewise, since when the server does not hear its backend; 0 = it does

	confirms singleflight.Group
	ctx      context.Context
	stop     context.CancelCauseFunc
	wg       sync.WaitGroup
}

// NewClient makes a client that knows nothing yet.
func NewClient(o ClientOptions) (*Client, error) {
	if o.URL == "" || o.Key.IsZero() {
		return nil, errors.New("feed: the URL and an API key of the lifecycle server are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnSynced == nil {
		o.OnSynced = func() {}
	}
	if o.silence == 0 {
		o.silence = 5 * time.Second
	}
	if o.staleAfter == 0 {
		o.staleAfter = 2 * time.Second
	}
	at, err := url.Parse(o.URL)
	if err != nil || at.Host == "" {
		return nil, errors.New("feed: the URL of the lifecycle server is none")
	}
	roots, err := authorities(o.CAFile)
	if err != nil {
		return nil, err
	}
	c := &Client{
		o: o, base: strings.TrimRight(o.URL, "/"), local: isLocal(at.Hostname()), log: o.Logger,
		directory: new(lifecycle.Directory), metrics: newMetrics(), prober: lifecycle.NewProber(),
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // the environment's proxies are not for our own key
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
			IdleConnTimeout:        time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	return c, nil
}

// authorities reads a PEM file; nil stands for the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // tls.Config reads it so
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("control.ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("control.ca_file: there is no certificate in it")
	}
	return pool, nil
}

func isLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// Start begins to follow the server, which need not be there yet.
func (c *Client) Start() { c.wg.Go(c.run) }

// Close ends following. The directory's entries end with it.
func (c *Client) Close() {
	c.stop(lifecycle.ErrClosed)
	c.wg.Wait()
	c.http.CloseIdleConnections()
	c.directory.Range(func(e *lifecycle.Entry) bool {
		c.directory.Remove(e.ID, lifecycle.ErrClosed)
		return true
	})
}

// Directory is the copy.
func (c *Client) Directory() *lifecycle.Directory { return c.directory }

// RuntimeName is the name of the server's backend; "docker" until it said so.
func (c *Client) RuntimeName() string {
	if name := c.runtime.Load(); name != nil {
		return *name
	}
	return "docker"
}

// Ready tells whether requests can be served: from the first snapshot on, also while the
// server is away (contract 04 D21).
func (c *Client) Ready() lifecycle.Readiness {
	r := lifecycle.Readiness{Ready: true, Components: map[string]string{"feed": "ok", "control": "ok"}}
	if !c.served.Load() {
		r.Ready, r.Components["feed"] = false, "no snapshot of the lifecycle server's sandboxes yet"
	}
	if age := c.age(); age > c.o.staleAfter {
		r.Components["control"] = "nothing heard for " + age.Truncate(time.Second).String()
	}
	return r
}

// Synced tells that the server's sandboxes are known.
func (c *Client) Synced() bool { return c.synced.Load() }

// Age is how old the last word of the server is, and whether it counts as recent.
func (c *Client) Age() (age time.Duration, up bool) {
	age = c.age()
	return age, age <= c.o.staleAfter
}

// age is how old the last word is after which the directory was known to be right.
func (c *Client) age() time.Duration {
	now := time.Now().UnixNano()
	since := c.heard.Load()
	if deaf := c.deaf.Load(); deaf != 0 {
		since = min(since, deaf)
	}
	return time.Duration(max(now-since, 0))
}
