package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// rule is one cross-field rule: broken returns the key to point at and the message.
type rule func(d *decoder) (key, message string)

// rules are checked in the order of contract 07 §5; the first broken one ends the check.
// Clients and tests match fragments of these texts.
var rules = []rule{
	func(d *decoder) (string, string) {
		if d.config.Runtime.Type == RuntimeDocker && d.report.Given("kubernetes") {
			return "kubernetes", "Kubernetes block must be omitted when runtime.type = 'docker'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.Runtime.Type == RuntimeDocker && d.report.Given("agent_sandbox") {
			return "agent_sandbox", "agent_sandbox block must be omitted when runtime.type = 'docker'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.Runtime.Type == RuntimeDocker && d.config.SecureRuntime.Type == "firecracker" {
			return "secure_runtime.type", "secure_runtime.type 'firecracker' is only compatible with runtime.type='kubernetes'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.report.Given("agent_sandbox") && d.config.Kubernetes.WorkloadProvider != ProviderAgentSandbox {
			return "agent_sandbox", "agent_sandbox block requires kubernetes.workload_provider = 'agent-sandbox'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.Ingress.Mode == ModeGateway && !d.report.Given("ingress.gateway") {
			return "ingress", "gateway block must be provided when ingress.mode = 'gateway'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.Ingress.Mode != ModeGateway && d.report.Given("ingress.gateway") {
			return "ingress.gateway", "gateway block must be omitted unless ingress.mode = 'gateway'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.Ingress.Mode != ModeGateway && d.report.Given("ingress.secure_access") {
			return "ingress.secure_access", "secure_access block requires ingress.mode = 'gateway'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.Ingress.Mode != ModeGateway && d.config.Server.SecureDefault {
			return "server.secure_default", "secure_default requires ingress.mode = 'gateway'."
		}
		return "", ""
	},
	gatewayAddresses,
	uniqueKeyIDs,
	activeKeyExists,
	func(d *decoder) (string, string) {
		_, docker := d.report.Origins["secure_runtime.docker_runtime"]
		_, class := d.report.Origins["secure_runtime.k8s_runtime_class"]
		if d.config.SecureRuntime.Type == "" && (docker || class) {
			return "secure_runtime", "docker_runtime and k8s_runtime_class must be omitted when secure_runtime.type is empty."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.SecureRuntime.Type == "firecracker" && d.config.SecureRuntime.K8sRuntimeClass == "" {
			return "secure_runtime.k8s_runtime_class", "secure_runtime.k8s_runtime_class is required when secure_runtime.type is 'firecracker'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		s := &d.config.SecureRuntime
		if (s.Type == "gvisor" || s.Type == "kata") && s.DockerRuntime == "" && s.K8sRuntimeClass == "" {
			return "secure_runtime", "At least one of secure_runtime.docker_runtime or secure_runtime.k8s_runtime_class must be specified when secure_runtime.type is '" + s.Type + "'."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		if d.config.RenewIntent.Redis.Enabled && d.config.RenewIntent.Redis.DSN.IsZero() {
			return "renew_intent.redis.dsn", "[renew_intent] redis.dsn must be set when redis.enabled is true."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		s := &d.config.Server
		if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
			return "server", "server.tls_cert_file and server.tls_key_file must be given together."
		}
		return "", ""
	},
	func(d *decoder) (string, string) {
		// Neither shares the host's network stack: a sandbox would take its interfaces, or not start.
		isolated := d.config.SecureRuntime.Type != "" && d.config.Runtime.Type == RuntimeDocker
		if isolated && strings.EqualFold(d.config.Docker.NetworkMode, "host") {
			return "docker.network_mode", "docker.network_mode must be \"bridge\" or a network of yours when secure_runtime.type is '" + d.config.SecureRuntime.Type + "'; it is 'host', which is also the default."
		}
		return "", ""
	},
	portRange,
}

func (d *decoder) crossFields() {
	for _, broken := range rules {
		if key, message := broken(d); message != "" {
			d.fail(key, "%s", message)
			return
		}
	}
}

func gatewayAddresses(d *decoder) (key, message string) {
	for i, r := range d.config.Ingress.Routes() {
		key := "ingress.gateway.address"
		if i > 0 {
			key = "ingress.gateway.also[" + strconv.Itoa(i-1) + "].address"
		}
		if message := checkRouteAddress(r); message != "" {
			return key, message
		}
	}
	return "", ""
}

// checkRouteAddress applies the address rules of contract 07 §3.5 in their order.
// The address is used as it stands, never trimmed.
func checkRouteAddress(r GatewayRoute) string {
	switch {
	case strings.Contains(r.Address, "://"):
		return "ingress.gateway.address must not include a scheme; clients choose http/https."
	case r.Mode == RouteWildcard && !isWildcardDomain(r.Address):
		return "ingress.gateway.address must be a wildcard domain (e.g., *.example.com) when gateway.route.mode is wildcard."
	case r.Mode == RouteWildcard:
		return ""
	case strings.Contains(r.Address, "*"):
		return "ingress.gateway.address must not contain wildcard when gateway.route.mode is not wildcard."
	case r.Mode == RouteHeader && !isHeaderAddress(r.Address):
		return "ingress.gateway.address must be a valid hostname, hostname:port, IP, or IP:port when gateway.route.mode is header."
	case strings.TrimSpace(r.Address) == "":
		return "ingress.gateway.address must not be empty when gateway.route.mode is uri."
	}
	return ""
}

// isWildcardDomain wants "*." and at least two labels, no port. Only the first label
// may not begin with a hyphen, as the reference has it.
func isWildcardDomain(s string) bool {
	base, ok := strings.CutPrefix(s, "*.")
	if !ok || strings.HasPrefix(base, "-") {
		return false
	}
	labels := strings.Split(base, ".")
	return len(labels) >= 2 && areLabels(labels)
}

func areLabels(labels []string) bool {
	for _, label := range labels {
		if len(label) < 1 || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-') {
				return false
			}
		}
	}
	return true
}

// isHeaderAddress wants a host name or IP address with an optional port; an IPv6
// address with a port, or any IPv6 address that should be told from one, is bracketed.
func isHeaderAddress(s string) bool {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Is6() && addr.Zone() == "" {
		return true
	}
	host, _, ok := splitPort(s)
	if !ok {
		return false
	}
	if bare, bracketed := strings.CutPrefix(host, "["); bracketed {
		bare, closed := strings.CutSuffix(bare, "]")
		addr, err := netip.ParseAddr(bare)
		return closed && err == nil && addr.Is6() && addr.Zone() == ""
	}
	labels := strings.Split(host, ".")
	if len(host) > 253 || !areLabels(labels) {
		return false
	}
	for _, label := range labels {
		if strings.HasPrefix(label, "-") {
			return false
		}
	}
	return true
}

func uniqueKeyIDs(d *decoder) (key, message string) {
	seen := map[string]bool{}
	for i, k := range d.config.Ingress.SecureAccess.Keys {
		if seen[k.ID] {
			return "ingress.secure_access.keys[" + strconv.Itoa(i) + "].key_id", "duplicate secure_access key_id '" + k.ID + "'; each key_id must be unique"
		}
		seen[k.ID] = true
	}
	return "", ""
}

func activeKeyExists(d *decoder) (key, message string) {
	s := &d.config.Ingress.SecureAccess
	if !d.report.Given("ingress.secure_access") {
		return "", ""
	}
	ids := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		if k.ID == s.ActiveKey {
			return "", ""
		}
		ids[i] = "'" + k.ID + "'"
	}
	return "ingress.secure_access.active_key", "active_key '" + s.ActiveKey + "' not found in secure_access.keys; available keys: [" + strings.Join(ids, ", ") + "]"
}
