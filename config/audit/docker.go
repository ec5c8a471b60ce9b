package audit

import (
	"net"
	"net/netip"
	"strings"

	"github.com/opensandbox-edge/edge/config"
)

func (a *audit) docker() {
	d := &a.config.Docker
	if d.NetworkMode == "host" {
		a.warn("docker.network_mode", "is host: sandboxes share the machine's network and reach everything that listens on loopback; use bridge")
	}
	if strings.HasPrefix(d.NetworkMode, "container:") {
		a.warn("docker.network_mode", "puts every sandbox into the network of one container, so they reach each other on loopback")
	}
	if host, ok := strings.CutPrefix(d.Host, "tcp://"); ok {
		name, _, err := net.SplitHostPort(host)
		if err != nil || !isLoopback(name) {
			a.warn("docker.host", "the engine is reached over the network: without DOCKER_TLS_VERIFY anyone there is root on its host")
		}
	}
	if d.Publish {
		a.warn("docker.publish", "published ports bypass the server and its access checks")
	}
	if addr, err := netip.ParseAddr(d.Network.PublishAddress); err == nil && !addr.IsLoopback() && (d.Publish || d.Network.Reach == "published") {
		a.warn("docker.publish_address", "others than this machine reach sandbox ports there, past the server and its access checks")
	}
	if d.Adopt == "all" {
		a.warn("docker.adopt", "is all: sandboxes that another server created on this engine are taken over and expire here, while that server works on them, too")
	}
	if d.ShareRegistryAuth {
		a.warn("docker.share_registry_auth", "is on: whoever may create sandboxes pulls with the registry logins of the server's user")
	}
	if missing := missingCapabilities(d.DropCapabilities); len(missing) > 0 {
		a.warn("docker.drop_capabilities", "sandboxes keep "+strings.Join(missing, ", ")+", which the default takes away")
	}
	if !d.NoNewPrivileges {
		a.warn("docker.no_new_privileges", "is off: setuid programs of an image work in sandboxes")
	}
	if d.SeccompProfile == "unconfined" {
		a.fail("docker.seccomp_profile", "is unconfined: sandboxes may use every system call of the kernel")
	}
	if d.AppArmorProfile == "unconfined" {
		a.warn("docker.apparmor_profile", "is unconfined")
	}
	if d.PidsLimit == 0 {
		a.fail("docker.pids_limit", "is off: one sandbox can use up the machine's process ids")
	}
	a.dockerBounds(&d.Hardening)
}

// dockerBounds looks at what one sandbox can take from the others.
func (a *audit) dockerBounds(h *config.DockerHardening) {
	if h.DefaultMemory == "" {
		a.warn("docker.default_limits.memory", "is absent: a sandbox whose create names no limit can use all of the machine's memory")
	}
	if h.DefaultCPU == "" {
		a.warn("docker.default_limits.cpu", "is absent: a sandbox whose create names no limit can use all of the machine's processors")
	}
	if h.LogMaxBytes == 0 {
		a.fail("docker.log_max_bytes", "is off: the output of one sandbox can fill the engine's disk")
	}
	for _, entry := range h.ExtraHosts {
		if strings.HasSuffix(entry, ":host-gateway") {
			a.warn("docker.extra_hosts", "names the engine's host to sandboxes, which then find whatever listens there")
		}
	}
}

func missingCapabilities(dropped []string) []string {
	have := map[string]bool{}
	for _, c := range dropped {
		have[strings.TrimPrefix(strings.ToUpper(c), "CAP_")] = true
	}
	if have["ALL"] {
		return nil
	}
	var missing []string
	for _, c := range defaultDrop() {
		if !have[c] {
			missing = append(missing, c)
		}
	}
	return missing
}

// defaultDrop are the capabilities that a file without docker.drop_capabilities takes away.
func defaultDrop() []string {
	for _, s := range config.Sections() {
		for _, k := range s.Keys {
			if s.Name == "docker" && k.Name == "drop_capabilities" {
				return k.Default.([]string)
			}
		}
	}
	return nil
}
