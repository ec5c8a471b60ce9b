package docker

import (
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

	"github.com/docker/docker/client"

	"github.com/opensandbox-edge/edge/apierror"
)

// engine is a connected client with the two facts its library keeps to itself.
type engine struct {
	*client.Client
	base   url.URL    // of raw requests, without the version
	remote netip.Addr // the engine's address when it is reached over TCP by IP
}

// connect opens the client and negotiates the API version, so that an unreachable
// engine fails the server's start and not the first request (contract 02 §1).
func connect(ctx context.Context, host string) (*engine, error) {
	if host == "" {
		host = orDefault(os.Getenv(client.EnvOverrideHost), client.DefaultDockerHost)
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

	opts := []client.Opt{client.WithVersionFromEnv(), client.WithAPIVersionNegotiation()}
	tls, err := tlsOption()
	if err != nil {
		return nil, fail("the TLS files it needs cannot be read; see DOCKER_CERT_PATH.", err)
	}
	if tls != nil {
		opts = append(opts, tls)
	}
	// The host comes after TLS: the option configures the transport for its protocol.
	cli, err := client.NewClientWithOpts(append(opts, client.WithHost(host))...)
	if err != nil {
		return nil, fail("the client refused the address or its TLS files.", err)
	}

	if _, err := cli.Ping(ctx); err != nil {
		_ = cli.Close()
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

	e := &engine{Client: cli, base: url.URL{Scheme: "http", Host: client.DummyHost}}
	if parsed.Scheme == "tcp" || strings.HasPrefix(parsed.Scheme, "http") {
		e.base.Host, e.base.Path = parsed.Host, parsed.Path
		if name, _, err := net.SplitHostPort(parsed.Host); err == nil {
			e.remote, _ = netip.ParseAddr(name)
		}
		if tls != nil || parsed.Scheme == "https" {
			e.base.Scheme = "https"
		}
	}
	return e, nil
}

// tlsOption reads DOCKER_TLS_VERIFY and DOCKER_CERT_PATH. The client's own reading
// ignores the first without the second, which would fall back to plain text.
func tlsOption() (client.Opt, error) {
	if os.Getenv(client.EnvOverrideCertPath) != "" {
		return client.WithTLSClientConfigFromEnv(), nil
	}
	if os.Getenv(client.EnvTLSVerify) == "" {
		return nil, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(home, ".docker")
	return client.WithTLSClientConfig(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")), nil
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
