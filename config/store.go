package config

// Store is [store]: where the server keeps what the backend cannot (contract 07 §3.9).
type Store struct {
	Type string // "sqlite"
	Path string
}

var storeSection = Section{
	Name: "store", Lifecycle: true,
	Doc: "Where expiry, metadata and tokens are kept.",
	ZH:  "到期时间、元数据与令牌的存储位置。",
	Keys: []Key{
		{
			Name: "type", Kind: Text, Default: "sqlite", Enum: []string{"sqlite"},
			Doc:     "Kind of store; sqlite is the only one.",
			ZH:      "存储类型；目前仅支持 sqlite。",
			Example: perRuntime(`"sqlite"`, ""),
			at:      func(c *Config, _ int) any { return &c.Store.Type },
		},
		{
			Name: "path", Kind: Path, Default: "~/.opensandbox/opensandbox.db", MinLength: 1,
			Doc:     "Database file; missing directories are created. It holds tokens: keep it private.",
			ZH:      "数据库文件；缺失的目录会自动创建。其中包含令牌，请勿公开。",
			Example: perRuntime(`"~/.opensandbox/opensandbox.db"`, ""),
			at:      func(c *Config, _ int) any { return &c.Store.Path },
		},
	},
}
