package config

// SecureRuntime is [secure_runtime]: stronger isolation than runc (contract 07 §3.10).
type SecureRuntime struct {
	Type            string // "" | "gvisor" | "kata" | "firecracker"
	DockerRuntime   string
	K8sRuntimeClass string
}

// EffectiveDocker is the OCI runtime name to ask the engine for; "" = the engine's default.
func (s *SecureRuntime) EffectiveDocker() string {
	if s.DockerRuntime != "" {
		return s.DockerRuntime
	}
	return map[string]string{"gvisor": "runsc", "kata": "kata-runtime"}[s.Type]
}

var secureRuntimeSection = Section{
	Name: "secure_runtime", Lifecycle: true,
	Doc: "Stronger isolation than runc. The runtime must be installed: it is checked at start.",
	ZH:  "比 runc 更强的隔离。对应运行时必须已安装，启动时会检查。",
	Keys: []Key{
		{
			Name: "type", Kind: Text, Default: "", Enum: []string{"", "gvisor", "kata", "firecracker"},
			Doc: "gvisor, kata, firecracker (Kubernetes only), or \"\" for runc.",
			ZH:  "gvisor、kata、firecracker（仅 Kubernetes），\"\" 表示 runc。",
			at:  func(c *Config, _ int) any { return &c.SecureRuntime.Type },
		},
		{
			Name: "docker_runtime", Kind: Text, Absent: "runsc with gvisor, kata-runtime with kata",
			Sample: `"runsc"`,
			Doc:    "Name of the OCI runtime as the Docker Engine knows it.",
			ZH:     "Docker Engine 中注册的 OCI 运行时名称。",
			at:     func(c *Config, _ int) any { return &c.SecureRuntime.DockerRuntime },
		},
		{
			Name: "k8s_runtime_class", Kind: Text, Absent: "gvisor with gvisor, kata-qemu with kata",
			Sample: `"gvisor"`,
			Doc:    "Name of the Kubernetes RuntimeClass; required with firecracker.",
			ZH:     "Kubernetes RuntimeClass 名称；firecracker 时必填。",
			at:     func(c *Config, _ int) any { return &c.SecureRuntime.K8sRuntimeClass },
		},
	},
}
