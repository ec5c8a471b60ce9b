package audit

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/config"
)

// Severity tells a weakness that should stop a deployment from one to weigh.
type Severity string

// The severities.
const (
	SeverityError   Severity = "ERROR"
	SeverityWarning Severity = "WARNING"
)

// Finding is one weakness of a configuration.
type Finding struct {
	Severity Severity
	Key      string
	Message  string
}

// String is one line.
func (f Finding) String() string { return string(f.Severity) + " " + f.Key + ": " + f.Message }

// Run lists the weaknesses of a configuration, in the order of the file's sections. It
// judges what the file says, whatever the host looks like.
func Run(l *config.Loaded) []Finding {
	a := &audit{config: l.Config, report: l.Report}
	a.credentials()
	a.listener()
	a.sandboxAccess()
	a.forwarding()
	a.limits()
	if l.Config.Runtime.Type == config.RuntimeDocker {
		a.docker()
	}
	if !l.Config.GatewayOnly() {
		a.images()
	}
	a.ingress()
	a.mounts(l.Path)
	a.others()
	return a.findings
}

type audit struct {
	config   *config.Config
	report   *config.Report
	findings []Finding
}

func (a *audit) fail(key, message string) {
	a.findings = append(a.findings, Finding{SeverityError, key, message})
}

func (a *audit) warn(key, message string) {
	a.findings = append(a.findings, Finding{SeverityWarning, key, message})
}

// local reports whether only this machine reaches the listener.
func (a *audit) local() bool {
	host := a.config.Server.Host
	return strings.HasPrefix(host, "unix/") || isLoopback(host)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
}

// hostOf is the host of an address that may have a port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

func (a *audit) credentials() {
	keys := a.config.Server.Keys()
	if len(keys) == 0 {
		a.fail("server.api_key", "no key is configured: whoever reaches the server controls every sandbox")
	}
	for _, k := range keys {
		name := "server." + k.Name
		if k.Name == "environment" {
			name = config.EnvAPIKey
		}
		switch clear := k.Key.Reveal(); {
		case config.IsSampleKey(k.Key):
			a.fail(name, "the key is a sample from documentation, known to everyone")
		case len(clear) < config.WeakAPIKey:
			a.fail(name, "the key has fewer than 16 characters and can be guessed")
		}
	}
	for _, w := range a.report.Warnings {
		if w.Kind == config.OpenToOthers {
			key := w.Key
			if key == "" {
				key = "file mode"
			}
			a.fail(key, w.Message)
		}
	}
}

func (a *audit) listener() {
	s := &a.config.Server
	if !a.local() && !s.TLS() {
		a.warn("server.host", "the API is open to the network without TLS: keys and tokens travel in clear unless a proxy in front encrypts them")
	}
	if !a.local() && len(s.PublicHosts) == 0 {
		a.warn("server.public_hosts", "any Host header is answered: a poisoned one gets endpoints, with their tokens, that point elsewhere")
	}
	for _, origin := range s.CORSOrigins {
		if strings.HasPrefix(origin, "http://") && !isLoopback(originHost(origin)) {
			a.warn("server.cors_origins", "a plain http origin may send credentials: whoever is on its network can use them")
			break
		}
	}
}

func originHost(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func (a *audit) sandboxAccess() {
	s := &a.config.Server
	switch {
	case !s.ExecdToken && s.RequireAccess == "none" && !a.local():
		a.fail("server.execd_access_token", "is off and require_access is none: whoever learns a sandbox id can run commands in it")
	case !s.ExecdToken:
		a.warn("server.execd_access_token", "is off: every process that reaches a sandbox's daemon can run commands in it")
	}
	if s.RequireAccess == "none" {
		a.warn("server.require_access", "is none: whoever learns a sandbox id reaches every port of it but the daemon's")
	}
}

func (a *audit) forwarding() {
	for _, entry := range a.config.Server.TrustedProxies {
		if prefix, err := netip.ParsePrefix(entry); err == nil && prefix.Bits() == 0 {
			a.fail("server.trusted_proxies", config.Printable(entry)+" trusts everybody: any client chooses the address that limits and logs know it by")
		}
	}
	if a.config.Server.ForwardCreds {
		a.warn("server.forward_credentials", "is on: sandboxes under /sandboxes share one web origin, so one can receive a browser's credentials for another")
	}
}

func (a *audit) limits() {
	s := &a.config.Server
	if a.config.GatewayOnly() {
		return // it creates nothing and serves no lifecycle API
	}
	if s.MaxTimeout == 0 {
		a.warn("server.max_sandbox_timeout_seconds", "is not set: sandboxes may live for ever")
	}
	if s.MaxSandboxes == 0 {
		a.warn("server.max_sandboxes", "is 0: one client can fill the machine")
	}
	if s.Concurrency == 0 {
		a.warn("server.limit_concurrency", "is 0: one client can occupy the API")
	}
}

func (a *audit) images() {
	if a.config.Image.AllowedRegistries == nil {
		a.warn("image.allowed_registries", "is not set: a create request may make the engine contact any registry")
	}
}

func (a *audit) ingress() {
	i := &a.config.Ingress
	if i.SecureAccess.AllowWeakKeys {
		for n, k := range i.SecureAccess.Keys {
			if raw, err := k.Bytes(); err == nil && len(raw) < config.WeakSigningKey {
				a.fail("ingress.secure_access.keys["+strconv.Itoa(n)+"]", "the signing key has fewer than 16 bytes: one leaked link lets an attacker find it")
			}
		}
	}
	for _, r := range i.Routes() {
		if r.Mode != config.RouteWildcard {
			a.warn("ingress.gateway", "the "+r.Mode+" route serves all sandboxes from one web origin; pages of one can act on another: prefer wildcard for browsers")
		}
	}
	if _, _, shared := a.config.SharedDomain(); shared {
		a.warn("ingress.gateway", "sandboxes and the API share a registrable domain, so cookies and same-site rules do not separate them: give sandboxes a domain of their own")
	}
	if i.Isolation == "off" {
		a.warn("ingress.shared_origin_isolation", "is off: a page of one sandbox can take over the pages, cookies and workers of all that share its web origin, and of the API's")
	}
	if i.CrossSite == "allow" {
		a.warn("ingress.cross_site", "is allow: pages of other sites act in applications with a user's cookies unless each application checks")
	}
}

// precious are paths whose mount into a sandbox gives the machine away.
var precious = []string{"/proc", "/sys", "/dev", "/etc", "/boot", "/root", "/run/docker.sock", "/var/run/docker.sock", "/run/containerd", "/var/lib/docker"}

func (a *audit) mounts(configPath string) {
	guarded := append([]string{configPath, a.config.Store.Path}, precious...)
	for _, prefix := range a.config.Storage.AllowedHostPaths {
		for _, path := range guarded {
			if path != "" && (covers(prefix, path) || covers(path, prefix)) {
				a.fail("storage.allowed_host_paths", config.Printable(prefix)+" covers "+config.Printable(path)+", with which a sandbox would have the machine: name the directories that are meant for sandboxes alone")
				break
			}
		}
	}
	if a.config.Runtime.Type == config.RuntimeDocker && a.config.Storage.AllowedVolumes == nil {
		a.warn("storage.allowed_volumes", "is absent: requests may mount every named volume of the engine; [] admits those that requests have made")
	}
	if len(a.config.Storage.AllowedHostPaths) > 0 {
		a.warn("storage.allowed_host_paths", "sandboxes may write below the allowed paths; a directory for them alone is safest")
	}
}

// covers reports whether path is prefix or lies below it.
func covers(prefix, path string) bool {
	rel, err := filepath.Rel(filepath.Clean(prefix), filepath.Clean(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func (a *audit) others() {
	if listen := a.config.Metrics.Listen; listen != "" {
		if !isLoopback(hostOf(listen)) {
			a.warn("metrics.listen", "metrics have no authentication and are open to the network")
		}
	}
	if control, err := url.Parse(a.config.Control.URL); err == nil && control.Scheme == "http" && !isLoopback(control.Hostname()) {
		a.warn("control.url", "the lifecycle server is reached without TLS: its API key travels in clear unless the network between is trusted; use https://")
	}
	r := &a.config.RenewIntent.Redis
	if dsn := r.DSN.Reveal(); r.Enabled && strings.HasPrefix(dsn, "redis://") {
		if u, err := url.Parse(dsn); err != nil || !isLoopback(u.Hostname()) {
			a.warn("renew_intent.redis.dsn", "Redis is reached without TLS: use rediss://")
		}
	}
}
