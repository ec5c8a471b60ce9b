package docker

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/client"

	"github.com/opensandbox-edge/edge/apierror"
)

// engine is a connected client with the facts its library keeps to itself.
type engine struct {
	*client.Client
	transport *http.Transport
	base      url.URL    // of raw requests, without the version
	remote    netip.Addr // the engine's address when it is reached over TCP by IP
}

// maxIdleConns lets a burst of creates reuse its connections.
const maxIdleConns = 32

// connect opens the client and negotiates the API version, so that an unreachable
// engine fails the server's start and not the first request (contract 02 §1).
func connect(ctx context.Context, host string, m *meter) (*engine, error) {
	if host == "" {
		host = cmp.Or(os.Getenv(client.EnvOverrideHost), client.DefaultDockerHost)
	}
	fail := func(hint string, cause error) error {
		return apierror.New(http.StatusServiceUnavailable, codeInitialization,
			"Docker Engine is not usable at %s (environment variable DOCKER_HOST): %s", redactHost(host), hint).Because(cause)
	}
	if strings.HasPrefix(host, "ssh://") {
		return nil, fail("ssh:// is not supported here; forward the socket with ssh -L and name the local socket.", nil)
	}
	parsed, err := client.ParseHostURL(host)
	if err != nil {
		return nil, fail("it is not an address of the form unix:///path or tcp://host:port.", err)
	}

	tls, err := tlsOption()
	if err != nil {
		return nil, fail("the TLS files it needs cannot be read; see DOCKER_CERT_PATH.", err)
	}
	// No proxy from the environment: the engine is never behind the server's HTTP_PROXY.
	transport := &http.Transport{MaxIdleConns: maxIdleConns, MaxIdleConnsPerHost: maxIdleConns, IdleConnTimeout: 30 * time.Second}
	httpClient := &http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}
	cli, err := client.NewClientWithOpts(
		client.WithHTTPClient(httpClient), tls.option, client.WithHost(host), // both configure the transport
		client.WithScheme(tls.scheme), client.WithVersionFromEnv(), client.WithAPIVersionNegotiation(),
		func(*client.Client) error {
			m.base = transport
			httpClient.Transport = m
			return nil
		},
	)
	if err != nil {
		return nil, fail("the client refused the address or its TLS files.", err)
	}
	e := &engine{Client: cli, transport: transport, base: url.URL{Scheme: tls.scheme, Host: client.DummyHost}}

	if _, err := cli.Ping(ctx); err != nil {
		_ = e.Close()
		hint := "nothing answers there; start the engine or set DOCKER_HOST."
		if parsed.Scheme == "unix" {
			switch _, statErr := os.Stat(parsed.Host); {
			case errors.Is(statErr, os.ErrNotExist):
				hint = "the socket file does not exist; start the engine or set DOCKER_HOST to its socket."
			case errors.Is(err, os.ErrPermission):
				hint = "this user may not use the socket; join the group that owns it, or use a rootless engine."
			}
		}
		return nil, fail(hint, err)
	}
	cli.NegotiateAPIVersion(ctx)

	if parsed.Scheme != "unix" && parsed.Scheme != "npipe" {
		e.base.Host, e.base.Path = parsed.Host, parsed.Path
		if name, _, err := net.SplitHostPort(parsed.Host); err == nil {
			e.remote, _ = netip.ParseAddr(name)
		}
	}
	return e, nil
}

// local reports an engine behind a socket file, whose disk is most likely this machine's.
func (e *engine) local() bool { return e.base.Host == client.DummyHost }

// Close closes the idle connections; the client's own Close cannot see past the meter.
func (e *engine) Close() error {
	e.transport.CloseIdleConnections()
	return nil
}

// tlsSettings is how the engine is spoken to.
type tlsSettings struct {
	option client.Opt
	scheme string
}

// tlsOption reads DOCKER_TLS_VERIFY and DOCKER_CERT_PATH. The client's own reading
// ignores the first without the second, which would fall back to plain text.
func tlsOption() (tlsSettings, error) {
	if os.Getenv(client.EnvOverrideCertPath) != "" {
		return tlsSettings{client.WithTLSClientConfigFromEnv(), "https"}, nil
	}
	if os.Getenv(client.EnvTLSVerify) == "" {
		return tlsSettings{func(*client.Client) error { return nil }, "http"}, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return tlsSettings{}, err
	}
	dir := filepath.Join(home, ".docker")
	return tlsSettings{client.WithTLSClientConfig(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")), "https"}, nil
}

// request builds a raw GET for streams whose start the client library does not report.
func (e *engine) request(ctx context.Context, endpoint string, query url.Values) (*http.Request, error) {
	u := e.base
	u.Path = path.Join("/", u.Path, "v"+e.ClientVersion(), endpoint)
	u.RawQuery = query.Encode()
	return http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
}

// connectionFailed reports a connection that could not be made or broke.
func connectionFailed(err error) bool {
	var network net.Error
	return client.IsErrConnectionFailed(err) || errors.As(err, &network)
}

// redactHost drops user information from an address that goes into a message.
func redactHost(host string) string {
	scheme, rest, found := strings.Cut(host, "://")
	if !found {
		return "the configured address"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "://" + rest
}
