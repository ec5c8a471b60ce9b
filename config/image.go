package config

// Image is [image]: which registries sandbox images may come from.
type Image struct {
	AllowedRegistries []string // nil = every registry that is not denied; empty = none
	DeniedRegistries  []string
}

var imageSection = Section{
	Name: "image", NewKey: true, Lifecycle: true,
	Doc: "Which registries sandbox images may come from. Link-local and metadata addresses are refused in any case.",
	ZH:  "沙箱镜像允许的来源仓库。链路本地与元数据地址始终被拒绝。",
	Keys: []Key{
		{
			Name: "allowed_registries", Kind: TextList, Absent: "every registry", check: checkRegistry, NewKey: true,
			Sample: `["docker.io", "registry.example.com:5000"]`,
			Doc:    "Registries (host or host:port; docker.io for short names) that create requests may name. [] admits none, so that only images present by id can be used.",
			ZH:     "创建请求可使用的镜像仓库（主机或 主机:端口；短名称对应 docker.io）。[] 表示全部拒绝。",
			at:     func(c *Config, _ int) any { return &c.Image.AllowedRegistries },
		},
		{
			Name: "denied_registries", Kind: TextList, Absent: "none", check: checkRegistry, NewKey: true,
			Sample: `["localhost", "127.0.0.1"]`,
			Doc:    "Registries that are refused, even when allowed_registries has them.",
			ZH:     "被拒绝的镜像仓库，优先于 allowed_registries。",
			at:     func(c *Config, _ int) any { return &c.Image.DeniedRegistries },
		},
	},
}
