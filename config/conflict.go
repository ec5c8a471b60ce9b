package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"
)

// conflicts warns about combinations that load but do not do what they look like,
// and collects keys that have no effect here.
func (d *decoder) conflicts() {
	c, given := d.config, func(key string) bool { return d.report.Origin(key).Source != FromDefault }
	warn := func(key, format string, args ...any) {
		d.report.warn(d.file, lineOf(d.lines, key), key, format, args...)
	}
	if c.Runtime.Type == RuntimeKubernetes && d.report.Given("docker") {
		warn("docker", "has no effect with runtime.type = \"kubernetes\"")
	}
	for _, key := range []string{"log.file_path", "log.access_file_path"} {
		if given(key) && !c.Log.FileEnabled {
			warn(key, "has no effect without log.file_enabled = true")
		}
	}
	if c.RenewIntent.Redis.Enabled && !c.RenewIntent.Enabled {
		warn("renew_intent.redis.enabled", "has no effect without renew_intent.enabled = true")
	}
	if given("egress.mode") && c.Egress.Image == "" {
		warn("egress.mode", "has no effect without egress.image; create requests with a networkPolicy are refused")
	}
	if c.Runtime.Type == RuntimeDocker && c.Docker.NetworkMode == "host" && c.Egress.Image != "" {
		warn("egress.image", "networkPolicy needs docker.network_mode = \"bridge\"; with \"host\" such requests are refused")
	}
	if c.Runtime.Type == RuntimeDocker && c.Docker.NetworkMode != "host" && given("docker.host_mode_ports") {
		warn("docker.host_mode_ports", "has no effect without docker.network_mode = \"host\"")
	}
	if c.Runtime.Type == RuntimeDocker && slices.Contains(c.Docker.HostModePorts, uint16(c.Server.Port)) {
		warn("docker.host_mode_ports", "%d is the server's own port, which is never dialled for a sandbox", c.Server.Port)
	}
	if c.Docker.Publish && c.Docker.NetworkMode == "host" {
		warn("docker.publish", "with network_mode = \"host\" the daemon of every sandbox listens on all addresses of the machine; clients are led there, past the server")
	}
	if c.Ingress.Mode != ModeGateway && given("ingress.public_port") {
		warn("ingress.public_port", "has no effect without ingress.mode = \"gateway\"")
	}
	if address, host, shared := c.SharedDomain(); shared {
		warn("ingress.gateway", "%s and %s share a registrable domain, so browsers do not keep sandboxes and the API apart: give sandboxes a domain of their own", Printable(address), Printable(host))
	}
	if c.Runtime.Type == RuntimeKubernetes {
		d.templateFile("kubernetes.batchsandbox_template_file", c.Kubernetes.BatchSandboxTemplateFile)
		d.templateFile("agent_sandbox.template_file", c.AgentSandbox.TemplateFile)
	}
	for _, f := range []struct{ key, path string }{
		{"server.tls_cert_file", c.Server.TLSCertFile}, {"server.tls_key_file", c.Server.TLSKeyFile},
	} {
		if _, err := os.Stat(f.path); f.path != "" && err != nil {
			warn(f.key, "the file cannot be read: %v", cause(err))
		}
	}
	for i := range sections {
		if s := &sections[i]; s.Lifecycle && c.GatewayOnly() && d.report.Given(s.Name) {
			warn(s.Name, "has no effect beside [control]: the lifecycle server named there runs the sandboxes")
		}
	}
	visit(c, func(_ *Section, k *Key, path string, target any) {
		if k.Inert && literal(target) != defaultLiteral(k) {
			d.report.Inert = append(d.report.Inert, path)
		}
	})
}

// templateFile looks whether a template can be used; the runtime refuses to start
// with a bad one, and check-config should say so on a machine without a cluster.
func (d *decoder) templateFile(key, path string) {
	if path == "" {
		return
	}
	if err := readTemplate(path); err != nil {
		d.report.warn(d.file, lineOf(d.lines, key), key, "%v", err)
	}
}

func readTemplate(path string) error {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the file %s does not exist", path)
	case err != nil:
		return fmt.Errorf("the file cannot be read: %w", cause(err))
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return fmt.Errorf("the file cannot be read: %w", cause(err))
	}
	if len(body) > maxFileBytes {
		return fmt.Errorf("the file is larger than %d bytes", maxFileBytes)
	}
	var root map[string]any
	if err := yaml.Unmarshal(body, &root); err != nil || root == nil {
		return errors.New("the file is not a YAML mapping")
	}
	return nil
}
