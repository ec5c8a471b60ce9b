package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/opensandbox-edge/edge/caddymodule/listener"
	"github.com/opensandbox-edge/edge/config"
)

func init() { caddyconfig.RegisterAdapter("sandbox_toml", Adapter{}) }

// StopTimeout bounds how long requests may go on after the process was asked to stop
// (contract 07 §7.2); it is the grace period of the adapted configuration.
const StopTimeout = 30 * time.Second

// readHeaderTimeout bounds the head of a request (threat row X2).
const readHeaderTimeout = 10 * time.Second

// Adapter turns the TOML file into Caddy's configuration: `--adapter sandbox_toml`.
// The result opens server.host:server.port (and metrics.listen) and nothing else: the
// admin endpoint, automatic HTTPS, autosave and every use of Caddy's own storage are off.
type Adapter struct{}

// Adapt implements caddyconfig.Adapter. The file must have a name, because the app
// reads it again: its secrets never become part of Caddy's configuration.
func (Adapter) Adapt(body []byte, options map[string]any) ([]byte, []caddyconfig.Warning, error) {
	path, _ := options["filename"].(string)
	if path == "" {
		return nil, nil, errors.New("sandbox_toml adapts files only: give the path with --config")
	}
	path, err := config.Resolve(config.Options{Path: path})
	if err != nil {
		return nil, nil, err
	}
	loaded, err := config.Parse(config.Options{Path: path}, body)
	if err != nil {
		return nil, nil, err
	}
	var warnings []caddyconfig.Warning
	for _, w := range loaded.Report.Warnings {
		warnings = append(warnings, caddyconfig.Warning{File: w.File, Line: w.Line, Directive: w.Key, Message: w.Message})
	}
	adapted, err := Adapt(loaded, KeyRequired)
	return adapted, warnings, err
}

// KeyRule says whether the server may run without an API key.
type KeyRule uint8

const (
	// KeyRequired leaves the decision to the app, which demands a key or OPENSANDBOX_INSECURE_SERVER.
	KeyRequired KeyRule = iota
	// InsecureConfirmed records that the operator has confirmed running without a key.
	InsecureConfirmed
)

// Adapt returns the Caddy configuration of a loaded TOML file, as JSON.
func Adapt(loaded *config.Loaded, rule KeyRule) ([]byte, error) {
	c := loaded.Config
	persist := false
	servers := map[string]*caddyhttp.Server{"opensandbox": edgeServer(c)}
	if c.Metrics.Listen != "" {
		servers["metrics"] = metricsServer(c)
	}
	var warnings []caddyconfig.Warning
	apps := caddy.ModuleMap{
		"opensandbox": caddyconfig.JSON(&App{Config: loaded.Path, Insecure: rule == InsecureConfirmed}, &warnings),
		"http":        caddyconfig.JSON(&caddyhttp.App{GracePeriod: caddy.Duration(StopTimeout), Servers: servers}, &warnings),
		"tls":         caddyconfig.JSON(tlsApp(c), &warnings),
	}
	adapted, err := json.MarshalIndent(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &persist}},
		Logging: adaptLogging(&c.Log, &warnings),
		AppsRaw: apps,
	}, "", "  ")
	if err == nil && len(warnings) > 0 {
		err = errors.New(warnings[0].String())
	}
	if err != nil {
		return nil, fmt.Errorf("adapting %s: %w", loaded.Path, err)
	}
	return adapted, nil
}

// edgeServer is the one server that carries the API and the sandboxes.
func edgeServer(c *config.Config) *caddyhttp.Server {
	s := &caddyhttp.Server{
		Listen:            []string{listenAddress(c)},
		ReadHeaderTimeout: caddy.Duration(readHeaderTimeout),
		IdleTimeout:       caddy.Duration(c.Server.IdleTimeout()),
		MaxHeaderBytes:    c.Server.MaxHeaderBytes,
		AutoHTTPS:         &caddyhttp.AutoHTTPSConfig{Disabled: true},
		Protocols:         []string{"h1", "h2c"},
		Routes: caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{
			handler("opensandbox_auth"), handler("opensandbox_lifecycle"), ingressHandler,
		}}},
	}
	if c.Server.TLS() {
		s.Protocols = []string{"h1", "h2"} // h3 would open a UDP port
		s.TLSConnPolicies = caddytls.ConnectionPolicies{{}}
	}
	if c.Tracing.Enabled {
		s.Routes[0].HandlersRaw = append([]json.RawMessage{tracingHandler}, s.Routes[0].HandlersRaw...)
	}
	trustProxies(s, c.Server.TrustedProxies)
	if c.Log.Access {
		s.Logs = &caddyhttp.ServerLogConfig{}
	}
	return s
}

// listenAddress puts the server on our own network, except on a Unix socket.
func listenAddress(c *config.Config) string {
	address := c.Server.ListenAddress()
	if len(address) > 5 && address[:5] == "unix/" {
		return address
	}
	return listener.Network + "/" + address
}

// metricsServer has a listener of its own: scrapers cannot send the API key, and
// /metrics of the API's listener may be a path of a sandbox.
func metricsServer(c *config.Config) *caddyhttp.Server {
	return &caddyhttp.Server{
		Listen:            []string{listener.Network + "/" + c.Metrics.Listen},
		ReadHeaderTimeout: caddy.Duration(readHeaderTimeout),
		AutoHTTPS:         &caddyhttp.AutoHTTPSConfig{Disabled: true},
		Protocols:         []string{"h1"},
		Routes: caddyhttp.RouteList{
			{
				// The path matcher would ignore case, and clean the path first.
				MatcherSetsRaw: caddyhttp.RawMatcherSets{{"vars": json.RawMessage(`{"{http.request.orig_uri.path}":["/metrics"]}`)}},
				HandlersRaw:    []json.RawMessage{handler("metrics")},
			},
			{HandlersRaw: []json.RawMessage{json.RawMessage(`{"handler":"static_response","status_code":404}`)}},
		},
	}
}

// tlsApp keeps Caddy from touching its storage folder.
func tlsApp(c *config.Config) *caddytls.TLS {
	t := &caddytls.TLS{DisableStorageCheck: true, DisableStorageClean: true, DisableOCSPStapling: true}
	if c.Server.TLS() {
		t.CertificatesRaw = caddy.ModuleMap{"load_files": caddyconfig.JSON([]caddytls.CertKeyFilePair{
			{Certificate: c.Server.TLSCertFile, Key: c.Server.TLSKeyFile},
		}, nil)}
	}
	return t
}

// tracingHandler is Caddy's own: where spans go is said by the OTEL_ variables.
var tracingHandler = json.RawMessage(`{"handler":"tracing","span":"{http.request.method}"}`)

// ingressHandler is alone: there are no handlers but ours.
var ingressHandler = json.RawMessage(`{"handler":"opensandbox_ingress","alone":true}`)

func handler(name string) json.RawMessage {
	return json.RawMessage(`{"handler":"` + name + `"}`)
}
