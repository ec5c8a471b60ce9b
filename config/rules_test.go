package config

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	gatewayHead = "[ingress]\nmode = \"gateway\"\n"
	key16       = "AQIDBAUGBwgJCgsMDQ4PEA=="
)

func gateway(mode, address string) string {
	return fmt.Sprintf("%sgateway.address = %q\ngateway.route.mode = %q\n", gatewayHead, address, mode)
}

func signed(tail string) string {
	return minimal + gateway("wildcard", "*.a.example") + "[ingress.secure_access]\n" + tail
}

func TestCrossFieldRules(t *testing.T) {
	cases := []struct{ name, document, message string }{
		{"docker with kubernetes", minimal + "[kubernetes]\n", "test.toml:4 kubernetes: Kubernetes block must be omitted when runtime.type = 'docker'."},
		{"docker with agent_sandbox", minimal + "[agent_sandbox]\n", "agent_sandbox block must be omitted when runtime.type = 'docker'."},
		{"docker with gateway", minimal + gateway("wildcard", "*.a.example"), ""},
		{"docker with firecracker", minimal + "[secure_runtime]\ntype = \"firecracker\"\n", "secure_runtime.type 'firecracker' is only compatible with runtime.type='kubernetes'."},
		{"kubernetes with docker", kubernetesMinimal + "[docker]\n", ""},
		{"agent_sandbox without provider", kubernetesMinimal + "[agent_sandbox]\n", "agent_sandbox block requires kubernetes.workload_provider = 'agent-sandbox'."},
		{"agent_sandbox with provider", kubernetesMinimal + "[kubernetes]\nworkload_provider = \"agent-sandbox\"\n[agent_sandbox]\n", ""},
		{"gateway without block", minimal + gatewayHead, "gateway block must be provided when ingress.mode = 'gateway'."},
		{"direct with block", minimal + "[ingress.gateway]\naddress = \"a\"\nroute.mode = \"uri\"\n", "gateway block must be omitted unless ingress.mode = 'gateway'."},
		{"secure_access without gateway", minimal + "[ingress.secure_access]\nactive_key = \"a\"\nkeys = [{ key_id = \"a\", key = \"" + key16 + "\" }]\n", "secure_access block requires ingress.mode = 'gateway'."},
		{"secure_default without gateway", minimal + "[server]\nsecure_default = true\n", "secure_default requires ingress.mode = 'gateway'."},
		{"duplicate key", signed("active_key = \"a\"\nkeys = [{ key_id = \"a\", key = \"" + key16 + "\" }, { key_id = \"a\", key = \"" + key16 + "\" }]\n"), "duplicate secure_access key_id 'a'; each key_id must be unique"},
		{"active key missing", signed("active_key = \"c\"\nkeys = [{ key_id = \"a\", key = \"" + key16 + "\" }, { key_id = \"b\", key = \"" + key16 + "\" }]\n"), "active_key 'c' not found in secure_access.keys; available keys: ['a', 'b']"},
		{"no keys", signed("active_key = \"a\"\n"), "ingress.secure_access.keys: Field required"},
		{"empty keys", signed("active_key = \"a\"\nkeys = []\n"), "ingress.secure_access.keys: List should have at least 1 item"},
		{"key id", signed("active_key = \"a\"\nkeys = [{ key_id = \"A\", key = \"" + key16 + "\" }]\n"), "key_id must be exactly one character [0-9a-z], got 'A'"},
		{"key empty", signed("active_key = \"a\"\nkeys = [{ key_id = \"a\", key = \"\" }]\n"), "key must decode to at least 1 byte"},
		{"key unpadded", signed("active_key = \"a\"\nkeys = [{ key_id = \"a\", key = \"AQIDBAUGBwgJCgsMDQ4PEA\" }]\n"), ""},
		{"key url alphabet", signed("active_key = \"a\"\nkeys = [{ key_id = \"a\", key = \"AQIDBAUGBwgJCgsMDQ4P-_==\" }]\n"), "key is not valid base64"},
		{"key prefix", signed("active_key = \"a\"\nkeys = [{ key_id = \"a\", key = \"base64:" + key16 + "\" }]\n"), "key is not valid base64"},
		{"key bad padding", signed("active_key = \"a\"\nkeys = [{ key_id = \"a\", key = \"AQIDBAUGBwgJCgsMDQ4PEA=\" }]\n"), "key is not valid base64"},
		{"weak key allowed", signed("active_key = \"a\"\nallow_weak_keys = true\nkeys = [{ key_id = \"a\", key = \"AQ==\" }]\n"), ""},
		{"names without type", minimal + "[secure_runtime]\ndocker_runtime = \"\"\n", "docker_runtime and k8s_runtime_class must be omitted when secure_runtime.type is empty."},
		{"firecracker without class", kubernetesMinimal + "[secure_runtime]\ntype = \"firecracker\"\n", "secure_runtime.k8s_runtime_class is required when secure_runtime.type is 'firecracker'."},
		{"gvisor without names", minimal + "[secure_runtime]\ntype = \"gvisor\"\n", "At least one of secure_runtime.docker_runtime or secure_runtime.k8s_runtime_class must be specified when secure_runtime.type is 'gvisor'."},
		{"gvisor with name", minimal + "[docker]\nnetwork_mode = \"bridge\"\n[secure_runtime]\ntype = \"gvisor\"\ndocker_runtime = \"runsc\"\n", ""},
		{"gvisor on the host's network", minimal + "[secure_runtime]\ntype = \"gvisor\"\ndocker_runtime = \"runsc\"\n", "docker.network_mode must be \"bridge\" or a network of yours when secure_runtime.type is 'gvisor'"},
		{"kata on the host's network", minimal + "[docker]\nnetwork_mode = \"HOST\"\n[secure_runtime]\ntype = \"kata\"\ndocker_runtime = \"kata\"\n", "when secure_runtime.type is 'kata'"},
		{"gvisor on Kubernetes", kubernetesMinimal + "[secure_runtime]\ntype = \"gvisor\"\nk8s_runtime_class = \"gvisor\"\n", ""},
		{"redis without dsn", minimal + "[renew_intent.redis]\nenabled = true\ndsn = \" \"\n", "[renew_intent] redis.dsn must be set when redis.enabled is true."},
		{"half a certificate", minimal + "[server]\ntls_cert_file = \"/c\"\n", "server.tls_cert_file and server.tls_key_file must be given together."},
		{"order of the table", minimal + "[kubernetes]\n[agent_sandbox]\n[secure_runtime]\ntype = \"firecracker\"\n", "Kubernetes block must be omitted"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.document)
			if c.message == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.message)
			require.NotContains(t, err.Error(), "AQIDBAUGBwgJ", "a key in a message")
			var invalid *Invalid
			require.ErrorAs(t, err, &invalid)
			require.Len(t, invalid.Violations, 1)
		})
	}
}

func TestRouteAddresses(t *testing.T) {
	const (
		scheme   = "ingress.gateway.address must not include a scheme; clients choose http/https."
		wildcard = "ingress.gateway.address must be a wildcard domain (e.g., *.example.com) when gateway.route.mode is wildcard."
		star     = "ingress.gateway.address must not contain wildcard when gateway.route.mode is not wildcard."
		header   = "ingress.gateway.address must be a valid hostname, hostname:port, IP, or IP:port when gateway.route.mode is header."
		blank    = "ingress.gateway.address must not be empty when gateway.route.mode is uri."
	)
	cases := []struct{ mode, address, want string }{
		{"wildcard", "*.example.com", ""},
		{"wildcard", "*.sandbox.localhost", ""},
		{"wildcard", "*.a-b.Example.COM", ""},
		{"wildcard", "https://*.example.com", scheme},
		{"wildcard", "*.example", wildcard},
		{"wildcard", "example.com", wildcard},
		{"wildcard", "*.example.com:8443", wildcard},
		{"wildcard", "*.-a.com", wildcard},
		{"wildcard", "*.a..com", wildcard},
		{"wildcard", " *.example.com", wildcard},
		{"wildcard", "*.*.example.com", wildcard},
		{"header", "gateway", ""},
		{"header", "gateway.example.com:8443", ""},
		{"header", "10.0.0.1", ""},
		{"header", "10.0.0.1:80", ""},
		{"header", "[2001:db8::1]:443", ""},
		{"header", "[2001:db8::1]", ""},
		{"header", "2001:db8::1", ""},
		{"header", "*.example.com", star},
		{"header", "http://gateway", scheme},
		{"header", "gateway:0", header},
		{"header", "gateway:65536", header},
		{"header", "gateway:", header},
		{"header", "gateway:+80", header},
		{"header", "gateway/path", header},
		{"header", "-gateway", header},
		{"header", "a.-b", header},
		{"header", "[gateway]:80", header},
		{"header", "[fe80::1%eth0]:80", header},
		{"uri", "not a host", ""},
		{"uri", "gw.example.com/sbx", ""},
		{"uri", "gw.example.com/*", star},
		{"uri", "x://y", scheme},
		{"uri", "  ", blank},
	}
	for _, c := range cases {
		require.Equal(t, c.want, checkRouteAddress(GatewayRoute{Mode: c.mode, Address: c.address}), "%s %q", c.mode, c.address)
	}
	_, err := parse(minimal + gateway("wildcard", "*.a.example") + "gateway.also = [{ mode = \"uri\", address = \"gw.example.com\" }, { mode = \"header\", address = \"*\" }]\n")
	require.ErrorContains(t, err, "test.toml:8 ingress.gateway.also[1].address: "+star)
}
