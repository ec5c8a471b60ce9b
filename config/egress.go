package config

// Egress is [egress]: the sidecar that enforces network policies (contract 07 §3.6).
type Egress struct {
	Image       string // "" = create requests with a networkPolicy are refused
	Mode        string // "dns" | "dns+nft"
	DisableIPv6 bool
}

var egressSection = Section{
	Name: "egress", Lifecycle: true,
	Doc: "The sidecar that enforces networkPolicy; with Docker it needs network_mode = \"bridge\". Without an image, create requests with a networkPolicy are refused.",
	ZH:  "执行 networkPolicy 的 sidecar；Docker 运行时需要 network_mode = \"bridge\"。未配置镜像时，带 networkPolicy 的创建请求会被拒绝。",
	Keys: []Key{
		{
			Name: "image", Kind: Text, Absent: "networkPolicy is refused", MinLength: 1, check: checkImage,
			Doc:     "Image of the sidecar.",
			ZH:      "sidecar 镜像。",
			Example: image("opensandbox/egress:" + imageRelease),
			at:      func(c *Config, _ int) any { return &c.Egress.Image },
		},
		{
			Name: "mode", Kind: Text, Default: "dns", Enum: []string{"dns", "dns+nft"},
			Doc:     "How a policy is enforced: dns = filter by name lookups; dns+nft = also filter packets by address.",
			ZH:      "策略的执行方式：dns = 按域名解析过滤；dns+nft = 同时按地址过滤数据包。",
			Example: same(`"dns"`),
			at:      func(c *Config, _ int) any { return &c.Egress.Mode },
		},
		{
			Name: "disable_ipv6", Kind: Boolean, Default: true,
			Doc: "Switch IPv6 off in sandboxes that have a policy, so that it cannot bypass the rules.",
			ZH:  "在带策略的沙箱中关闭 IPv6，防止绕过规则。",
			at:  func(c *Config, _ int) any { return &c.Egress.DisableIPv6 },
		},
	},
}
