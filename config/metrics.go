package config

// Metrics is [metrics]: Prometheus metrics on a listener of their own.
type Metrics struct {
	Listen string // "host:port"; "" = off
}

var metricsSection = Section{
	Name: "metrics", NewKey: true,
	Doc: "Prometheus metrics. They have a listener of their own, because scrapers cannot send the API key and /metrics is a path of sandboxes.",
	ZH:  "Prometheus 指标。使用独立的监听地址，因为采集器无法发送 API 密钥，且 /metrics 是沙箱使用的路径。",
	Keys: []Key{
		{
			Name: "listen", Kind: Text, Absent: "off", check: checkListen, NewKey: true,
			Sample: `"127.0.0.1:9464"`,
			Doc:    "Address and port to serve /metrics on, for example 127.0.0.1:9464. It has no authentication: keep it on a private address.",
			ZH:     "提供 /metrics 的地址与端口，例如 127.0.0.1:9464。该端口没有鉴权，请只绑定到私有地址。",
			at:     func(c *Config, _ int) any { return &c.Metrics.Listen },
		},
	},
}
