package config

// AgentSandbox is [agent_sandbox] (contract 07 §3.4).
type AgentSandbox struct {
	TemplateFile   string
	ShutdownPolicy string // "Delete" | "Retain"
	IngressEnabled bool
}

var agentSandboxSection = Section{
	Name: "agent_sandbox", Chosen: true, Only: RuntimeKubernetes, Lifecycle: true,
	Doc: "Only with kubernetes.workload_provider = \"agent-sandbox\", forbidden otherwise.",
	ZH:  "仅用于 kubernetes.workload_provider = \"agent-sandbox\"，其他情况不得出现。",
	Keys: []Key{
		{
			Name: "template_file", Kind: Path, Absent: "no template",
			Sample: `"~/sandbox-template.yaml"`,
			Doc:    "YAML file with a Sandbox that every sandbox starts from.",
			ZH:     "作为每个沙箱基础的 Sandbox YAML 模板文件。",
			at:     func(c *Config, _ int) any { return &c.AgentSandbox.TemplateFile },
		},
		{
			Name: "shutdown_policy", Kind: Text, Default: "Delete", Enum: []string{"Delete", "Retain"},
			Doc: "What happens to the resource when a sandbox expires: Delete or Retain.",
			ZH:  "沙箱到期后对资源的处理：Delete 或 Retain。",
			at:  func(c *Config, _ int) any { return &c.AgentSandbox.ShutdownPolicy },
		},
		{
			Name: "ingress_enabled", Kind: Boolean, Default: true,
			Doc: "Make the sandboxes reachable through the ingress.",
			ZH:  "允许通过 ingress 访问沙箱。",
			at:  func(c *Config, _ int) any { return &c.AgentSandbox.IngressEnabled },
		},
	},
}
