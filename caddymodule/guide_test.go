package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/coder/websocket"
	"github.com/libdns/libdns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/internal/websockettest"
)

const tlsGuide = "../docs/guides/tls.md"

func init() { caddy.RegisterModule(dnsProvider{}) }

// dnsProvider stands for the plugin that the guide takes as its example.
type dnsProvider struct{}

func (dnsProvider) AppendRecords(context.Context, string, []libdns.Record) ([]libdns.Record, error) {
	return nil, nil
}

func (dnsProvider) DeleteRecords(context.Context, string, []libdns.Record) ([]libdns.Record, error) {
	return nil, nil
}

func (dnsProvider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "dns.providers.cloudflare", New: func() caddy.Module { return new(dnsProvider) }}
}

func (*dnsProvider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// snippets are the code blocks of a page in one language.
func snippets(t *testing.T, page, language string) (found []string) {
	t.Helper()
	blocks := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(readFile(t, page), -1)
	for _, b := range blocks {
		found = append(found, b[1])
	}
	return found
}

// Whoever copies a block gets a configuration that Caddy takes without a warning, and that
// keeps to the guide's own rules. A block of sites alone goes with the options of the first.
func TestEveryCaddyfileOfTheGuideIsValid(t *testing.T) {
	r := newRig(t)
	r.t.Setenv("XDG_DATA_HOME", r.dir)
	cert, key, _ := certificate(t, r.dir)
	files := strings.NewReplacer(
		"/etc/opensandbox/sandbox.toml", r.toml(testKey), "sandbox.example.toml", r.toml(testKey),
		"/etc/opensandbox/wildcard.pem", cert, "/etc/opensandbox/wildcard.key", key,
		"\tpersist_config off\n", "\tpersist_config off\n\tstorage file_system "+r.dir+"\n",
	)
	blocks := snippets(t, tlsGuide, "caddyfile")
	require.Len(t, blocks, 3)
	for _, text := range blocks {
		require.NotContains(t, text, "on_demand")
		if !strings.HasPrefix(text, "{") {
			first, _, found := strings.Cut(blocks[0], "# Sandboxes:")
			require.True(t, found)
			text = first + text
		}
		formatted := string(caddyfile.Format([]byte(text)))
		require.Equal(t, formatted, text, "as `caddy fmt` writes it")
		adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(files.Replace(text)), map[string]any{"filename": "Caddyfile"})
		require.NoError(t, err)
		require.Empty(t, warnings)
		for _, rule := range []string{`"allow_0rtt":false`, `"persist":false`, `|0600"`, `"disable_redirects":true`, `"h3"`} {
			require.Contains(t, string(adapted), rule)
		}
		require.NotContains(t, string(adapted), `"listen":[":`, "every site is on our own network")
		var parsed caddy.Config
		require.NoError(t, caddy.StrictUnmarshalJSON(adapted, &parsed))
		require.NoError(t, caddy.Validate(&parsed))
	}
}

func TestEveryTOMLOfTheGuideIsValid(t *testing.T) {
	blocks := snippets(t, tlsGuide, "toml")
	require.Len(t, blocks, 2)
	for _, text := range blocks {
		_, err := config.Parse(config.Options{Path: "sandbox.toml", Home: "/", Lookup: func(string) (string, bool) { return "", false }}, []byte(text))
		require.NoError(t, err)
	}
}

// The development set-up is served as it stands on the page: routes and WebSockets over
// all three versions of HTTP, with certificates of Caddy's own authority.
func TestTheGuidesDevelopmentSetUpIsServed(t *testing.T) {
	r := newRig(t)
	port := r.place(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, req.Header.Get("X-Forwarded-Proto")+"://"+req.Header.Get("X-Forwarded-Host")+req.RequestURI)
			return
		}
		c, err := websocket.Accept(w, req, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		kind, message, err := c.Read(req.Context())
		if err == nil {
			_ = c.Write(req.Context(), kind, message)
			_ = c.Close(4000, "that was all")
		}
	}))
	edgePort := itoa(portOf(t, r.addr))
	path := r.toml(testKey, "[ingress]", `mode = "gateway"`, "[ingress.gateway]", `address = "*.sandbox.localhost"`, "[ingress.gateway.route]", `mode = "wildcard"`)
	require.NoError(t, r.caddyfile(strings.NewReplacer(
		"8443", edgePort, "sandbox.example.toml", path,
		"\tadmin unix/{$XDG_RUNTIME_DIR:/tmp}/opensandbox-admin.sock|0600\n", "\tadmin off\n\tgrace_period 1s\n",
		"\tpersist_config off\n", "\tpersist_config off\n\tstorage file_system "+r.dir+"\n",
	).Replace(snippets(t, tlsGuide, "caddyfile")[2])))
	r.ready()

	trust := x509.NewCertPool()
	require.True(t, trust.AppendCertsFromPEM([]byte(readFile(t, filepath.Join(r.dir, "pki/authorities/local/root.crt")))))
	for _, name := range []string{"localhost", "x.sandbox.localhost"} {
		require.Eventually(t, func() bool { // certificates are made in the background
			c, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: trust, ServerName: name, MinVersion: tls.VersionTLS12})
			return err == nil && c.Close() == nil
		}, wait, tick)
	}
	for _, p := range versions(t, r.addr, &tls.Config{RootCAs: trust}) {
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			get := func(target string) (int, string) {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
				require.NoError(t, err)
				resp, err := p.round.RoundTrip(req)
				require.NoError(t, err)
				defer func() { _ = resp.Body.Close() }()
				require.Equal(t, p.name, resp.Proto)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				return resp.StatusCode, string(body)
			}
			api := "https://localhost:" + edgePort
			status, _ := get(api + "/health")
			require.Equal(t, http.StatusOK, status)
			status, _ = get(api + "/v1/sandboxes")
			require.Equal(t, http.StatusUnauthorized, status)
			sandbox := sandboxID + "-" + itoa(port) + ".sandbox.localhost:" + edgePort
			for _, base := range []string{api + "/sandboxes/" + sandboxID + "/proxy/" + itoa(port), "https://" + sandbox} {
				status, body := get(base + "/a%2Fb?q")
				require.Equal(t, http.StatusOK, status)
				require.Equal(t, "https://"+strings.Split(base, "/")[2]+"/a%2Fb?q", body)

				c, _, err := websocket.Dial(ctx, base+"/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: p.upgrade}})
				require.NoError(t, err)
				require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("hello")))
				_, answer, err := c.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, "hello", string(answer))
				_, _, err = c.Read(ctx)
				require.Equal(t, websocket.StatusCode(4000), websocket.CloseStatus(err))
			}
		})
	}
}

// httpVersion is a client of one version of HTTP that finds every name at one address.
type httpVersion struct {
	name           string
	round, upgrade http.RoundTripper
}

func versions(t *testing.T, address string, config *tls.Config) []httpVersion {
	t.Helper()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	one := &http.Transport{TLSClientConfig: config.Clone(), DialContext: dial}
	two := websockettest.HTTP2(config.Clone(), dial)
	three := &http3.Transport{TLSClientConfig: config.Clone(), Dial: dialQUIC(address)}
	t.Cleanup(func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		_ = three.Close()
	})
	return []httpVersion{
		{"HTTP/1.1", one, one},
		{"HTTP/2.0", two, two.Upgrades()},
		{"HTTP/3.0", three, websockettest.HTTP3(three)},
	}
}

func dialQUIC(address string) func(context.Context, string, *tls.Config, *quic.Config) (*quic.Conn, error) {
	return func(ctx context.Context, _ string, config *tls.Config, options *quic.Config) (*quic.Conn, error) {
		return quic.DialAddr(ctx, address, config, options)
	}
}

// The example keeps to the same rules where it says something about TLS.
func TestExampleHasNoOnDemandCertificates(t *testing.T) {
	text, err := os.ReadFile("../Caddyfile.example")
	require.NoError(t, err)
	require.NotContains(t, string(text), "on_demand")
	require.Contains(t, string(text), "docs/guides/tls.md")
}
