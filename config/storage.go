package config

import "regexp"

// Storage is [storage]: what sandboxes may mount (contract 07 §3.8).
type Storage struct {
	AllowedHostPaths  []string // absolute prefixes; empty = every host mount is refused
	CreateHostPaths   bool
	AllowedVolumes    []string // of other makers; nil = all
	AllowedEndpoints  []string // of object stores, as host or *.domain
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
			Doc:     "Absolute path prefixes of the host that may be mounted; \"/\" = all but what belongs to the server, the engine and the system. [] = every host mount is refused.",
			ZH:      "允许挂载的宿主机绝对路径前缀；\"/\" = 除服务器、引擎和系统自身之外的全部路径。[] = 拒绝所有宿主机挂载。",
			Example: same("[]"),
			at:      func(c *Config, _ int) any { return &c.Storage.AllowedHostPaths },
		},
		{
			Name: "create_host_paths", Kind: Boolean, Default: true, NewKey: true,
			Doc: "Make host directories that a request mounts and that do not exist; false refuses such requests.",
			ZH:  "自动创建请求中不存在的宿主机目录；false 表示拒绝此类请求。",
			at:  func(c *Config, _ int) any { return &c.Storage.CreateHostPaths },
		},
		{
			Name: "allowed_volumes", Kind: TextList, Absent: "every volume but the server's own", check: checkVolumeName, NewKey: true,
			Example: perRuntime("[]", ""),
			Doc:     "Named volumes of the engine that requests may mount although no request made them. [] admits only those that were made by a request.",
			ZH:      "请求可以挂载的、并非由请求创建的 Docker 命名卷。[] 表示只允许由请求创建的卷。",
			at:      func(c *Config, _ int) any { return &c.Storage.AllowedVolumes },
		},
		{
			Name: "allowed_oss_endpoints", Kind: TextList, Default: []string{"*.aliyuncs.com"}, check: checkEndpointHost, NewKey: true,
			Doc: "Hosts of object stores (host or *.domain) whose buckets requests may mount through OSSFS. [] admits none.",
			ZH:  "请求可通过 OSSFS 挂载的对象存储主机（主机或 *.域名）。[] 表示全部拒绝。",
			at:  func(c *Config, _ int) any { return &c.Storage.AllowedEndpoints },
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

var (
	volumeName   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?$`)
	endpointHost = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
)

func checkVolumeName(s string) string {
	if !volumeName.MatchString(s) {
		return "Each volume should be a name of lower-case letters, digits and inner '-', as requests may use it."
	}
	return ""
}

func checkEndpointHost(s string) string {
	if !endpointHost.MatchString(s) {
		return "Each endpoint should be a host name or *.domain, without scheme, port or path."
	}
	return ""
}
