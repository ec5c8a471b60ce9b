package caddymodule

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/secret"
)

// settings are one configuration's part of the edge: immutable, compiled and checked
// before anything is touched. Nothing in them needs the long-lived state.
type settings struct {
	config *config.Config
	log    slog.Handler
	keys   []config.NamedKey

	publicHosts   []string
	table         *route.Table
	keySet        *auth.Keys
	signatures    *sign.Policy // nil = there are no signing keys
	proxies       *forwarded.Proxies
	authenticator *auth.Authenticator
	clientServers map[string]*clientServer // by name; a server not in it keeps no clients
	cors          *auth.CORS               // nil without a key: no other origin may use the API (threat row W2)
}

// newSettings compiles a configuration. keys are all API keys, publicHosts the ones
// beside server.public_hosts.
func newSettings(c *config.Config, keys []config.NamedKey, publicHosts []string, log slog.Handler) (*settings, error) {
	s := &settings{config: c, log: log, keys: keys}
	s.publicHosts = append(append([]string(nil), c.Server.PublicHosts...), publicHosts...)
	if _, err := redisDSN(c); err != nil {
		return nil, err
	}
	var err error
	if s.table, err = route.NewTable(routeSettings(c, s.publicHosts)); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	named := make([]auth.Key, len(keys))
	for i, k := range keys {
		named[i] = auth.Key{Name: k.Name, Value: k.Key}
	}
	s.keySet = auth.NewKeys(named...)
	if s.signatures, err = signaturePolicy(c); err != nil {
		return nil, err
	}
	s.proxies, err = forwarded.NewProxies(c.Server.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("server.trusted_proxies: %w", err)
	}
	mode := auth.ModeInsecure
	if len(keys) > 0 {
		mode, s.cors = auth.ModeSecure, auth.NewCORS(c.Server.CORSOrigins...)
	}
	s.authenticator, err = auth.New(auth.Options{
		Table: s.table, Keys: s.keySet, Mode: mode, Access: accessOf(c), Proxies: s.proxies, CORS: s.cors, Logger: slog.New(log),
	})
	return s, err
}

// signaturePolicy makes the one key set that signs and verifies (threat row A8).
func signaturePolicy(c *config.Config) (*sign.Policy, error) {
	from := c.Ingress.SecureAccess
	if len(from.Keys) == 0 {
		return nil, nil
	}
	keys := make([]sign.Key, len(from.Keys))
	for i, k := range from.Keys {
		raw, err := k.Bytes()
		if err != nil {
			return nil, fmt.Errorf("ingress.secure_access.keys[%d]: %w", i, err)
		}
		keys[i] = sign.Key{ID: k.ID, Secret: secret.New(string(raw))}
	}
	set, err := sign.NewKeys(from.ActiveKey, keys...)
	if err != nil {
		return nil, fmt.Errorf("ingress.secure_access: %w", err)
	}
	return &sign.Policy{Keys: set, MaxTTL: from.MaxTTL}, nil
}

func accessOf(c *config.Config) auth.Access {
	if c.Server.RequireAccess == "key" {
		return auth.AccessKey
	}
	return auth.AccessOpen
}

// routeSettings says which hosts and route forms the TOML file asks for.
func routeSettings(c *config.Config, publicHosts []string) route.Settings {
	var out route.Settings
	for _, r := range c.Ingress.Routes() {
		at, prefix, _ := route.SplitAddress(r.Address)
		switch r.Mode {
		case config.RouteWildcard:
			out.WildcardBase = r.Address
			continue
		case config.RouteURI:
			out.URI, out.URIPrefix = true, prefix
		case config.RouteHeader:
			out.Header = true
		}
		out.GatewayHosts = appendHost(out.GatewayHosts, at.Host)
	}
	if len(publicHosts) == 0 {
		out.GatewayHosts = nil // any host is an API host then
		return out
	}
	for _, host := range append([]string{c.Server.EIP, c.Server.Host}, publicHosts...) {
		at, _, _ := route.SplitAddress(host)
		out.APIHosts = appendHost(out.APIHosts, at.Host)
	}
	return out
}

// appendHost leaves out what names no host: a wildcard address, a Unix socket.
func appendHost(hosts []string, host string) []string {
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return hosts
	}
	return append(hosts, host)
}

// secrets are the values that no log line may hold.
func (s *settings) secrets() []string {
	var out []string
	for _, k := range s.keys {
		out = append(out, k.Key.Reveal())
	}
	for _, k := range s.config.Ingress.SecureAccess.Keys {
		text := k.Key.Reveal()
		out = append(out, text, strings.TrimRight(text, "="))
		if raw, err := k.Bytes(); err == nil {
			out = append(out, string(raw))
		}
	}
	return append(append(out, s.config.Control.APIKey.Reveal()), dsnSecrets(s.config.RenewIntent.Redis.DSN.Reveal())...)
}

// dsnSecrets are the address with its password, and the password by itself, as it is
// written there and as it is meant.
func dsnSecrets(dsn string) []string {
	out := []string{dsn}
	u, err := url.Parse(dsn)
	if err != nil || u.User == nil {
		return out
	}
	password, _ := u.User.Password()
	_, written, _ := strings.Cut(dsn, "://")
	written, _, _ = strings.Cut(written, "@")
	_, written, _ = strings.Cut(written, ":")
	return append(out, password, written)
}
