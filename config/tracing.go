package config

// Tracing is [tracing]: OpenTelemetry spans of requests.
type Tracing struct{ Enabled bool }

var tracingSection = Section{
	Name: "tracing", NewKey: true,
	Doc: "OpenTelemetry. Where spans go is configured with the standard OTEL_ variables of the environment.",
	ZH:  "OpenTelemetry 链路追踪。导出目标由标准的 OTEL_ 环境变量配置。",
	Keys: []Key{
		{
			Name: "enabled", Kind: Boolean, Default: false, NewKey: true,
			Doc: "Make a span of every request and pass its context on to the sandbox.",
			ZH:  "为每个请求生成 span，并将其上下文传递给沙箱。",
			at:  func(c *Config, _ int) any { return &c.Tracing.Enabled },
		},
	},
}
