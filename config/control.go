package config

import "github.com/opensandbox-edge/edge/secret"

// Control is [control]: it makes this process a gateway alone, which learns about the
// sandboxes from a lifecycle server and has neither a runtime nor a store.
type Control struct {
	URL    string // "" = this process is the lifecycle server
	APIKey secret.Text
	CAFile string
}

// GatewayOnly tells that this process has no lifecycle role.
func (c *Config) GatewayOnly() bool { return c.Control.URL != "" }

var controlSection = Section{
	Name: "control", Chosen: true, NewKey: true,
	Doc: "Makes this process a gateway alone: it serves the routes into sandboxes and learns about them from the lifecycle server named here. It needs no runtime, no store and no access to the container engine.",
	ZH:  "使本进程仅作为 gateway：只提供沙箱路由，沙箱信息来自此处指定的生命周期服务器，无需 runtime、store 或容器引擎权限。",
	Keys: []Key{
		{
			Name: "url", Kind: Text, Required: true, MinLength: 1, check: checkControlURL, NewKey: true,
			Sample: `"http://10.0.0.5:8080"`,
			Doc:    "Address of the lifecycle server, http:// or https://.",
			ZH:     "生命周期服务器地址，http:// 或 https://。",
			at:     func(c *Config, _ int) any { return &c.Control.URL },
		},
		{
			Name: "api_key", Kind: Secret, Required: true, NewKey: true,
			Sample: `"${SANDBOX_API_KEY}"`,
			Doc:    "An API key of that server; or \"${NAME}\" to take it from the environment.",
			ZH:     "该服务器的 API 密钥；或写 \"${NAME}\" 从环境变量读取。",
			at:     func(c *Config, _ int) any { return &c.Control.APIKey },
		},
		{
			Name: "ca_file", Kind: Path, Absent: "the system's authorities", NewKey: true,
			Sample: `"/etc/opensandbox/control-ca.crt"`,
			Doc:    "PEM file with the authorities that may have signed an https:// server's certificate.",
			ZH:     "用于校验 https:// 服务器证书的 CA 证书（PEM）。",
			at:     func(c *Config, _ int) any { return &c.Control.CAFile },
		},
	},
}
