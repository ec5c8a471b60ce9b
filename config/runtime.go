package config

// Runtime is [runtime], the one section that a process which runs sandboxes needs
// (contract 07 §3.7); zero in a gateway.
type Runtime struct {
	Type       string // "docker" | "kubernetes"
	ExecdImage string
}

// The values of runtime.type.
const (
	RuntimeDocker     = "docker"
	RuntimeKubernetes = "kubernetes"
)

var runtimeSection = Section{
	Name: "runtime", Required: true, Lifecycle: true,
	Doc: "Required. What runs the sandboxes.",
	ZH:  "必填。沙箱的运行后端。",
	Keys: []Key{
		{
			Name: "type", Kind: Text, Required: true, Enum: []string{RuntimeDocker, RuntimeKubernetes},
			Doc:     "Backend: docker or kubernetes.",
			ZH:      "后端类型：docker 或 kubernetes。",
			Example: perRuntime(`"docker"`, `"kubernetes"`),
			at:      func(c *Config, _ int) any { return &c.Runtime.Type },
		},
		{
			Name: "execd_image", Kind: Text, Required: true, MinLength: 1, check: checkImage,
			Doc:     "Image that carries the in-sandbox daemon, which is mounted into every sandbox.",
			ZH:      "包含沙箱内守护进程的镜像，守护进程会被挂载到每个沙箱。",
			Example: image("opensandbox/execd:" + imageRelease),
			at:      func(c *Config, _ int) any { return &c.Runtime.ExecdImage },
		},
	},
}

// imageRelease is the tag of the images that generated files name; `make images` builds them under it.
const imageRelease = "edge"
