package config

// Storage is [storage]: what sandboxes may mount (contract 07 §3.8).
type Storage struct {
	AllowedHostPaths  []string // absolute prefixes; empty = every host mount is refused
	OSSFSMountRoot    string
	VolumeDefaultSize string // a Kubernetes quantity
}

var storageSection = Section{
	Name: "storage", Lifecycle: true,
	Doc: "What sandboxes may mount.",
	ZH:  "沙箱允许的挂载。",
	Keys: []Key{
		{
			Name: "allowed_host_paths", Kind: PathList, Default: []string{}, check: checkAbsolute,
			Doc:     "Absolute path prefixes of the host that may be mounted. [] = every host mount is refused.",
			ZH:      "允许挂载的宿主机绝对路径前缀。[] = 拒绝所有宿主机挂载。",
			Example: same("[]"),
			at:      func(c *Config, _ int) any { return &c.Storage.AllowedHostPaths },
		},
		{
			Name: "ossfs_mount_root", Kind: Path, Default: "/mnt/ossfs", check: checkAbsolute,
			Doc: "Directory of the host below which OSSFS volumes are mounted.",
			ZH:  "宿主机上挂载 OSSFS 卷的根目录。",
			at:  func(c *Config, _ int) any { return &c.Storage.OSSFSMountRoot },
		},
		{
			Name: "volume_default_size", Kind: Text, Default: "1Gi", check: checkQuantity,
			Doc:     "Size of a volume that is created without one.",
			ZH:      "创建卷时未指定大小的默认值。",
			Example: same(`"1Gi"`),
			at:      func(c *Config, _ int) any { return &c.Storage.VolumeDefaultSize },
		},
	},
}
