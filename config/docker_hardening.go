package config

// DockerHardening are the keys of [docker] that bound what a sandbox may take of its
// host, beside those the reference has.
type DockerHardening struct {
	LogMaxBytes   int64  // of one file; 0 = unbounded
	LogMaxFiles   int    //
	ShmSize       string // "512Mi"; "" = the engine's default
	StorageSize   string // "10Gi"; "" = unbounded
	Tmpfs         []string
	Ulimits       []string
	ExtraHosts    []string
	DNS           []string
	DNSSearch     []string
	DNSOptions    []string
	DefaultMemory string // "2Gi"; "" = unlimited
	DefaultCPU    string // "1.5" or "500m"; "" = unlimited
}

var dockerHardeningKeys = []Key{
	{
		Name: "log_max_bytes", Kind: Integer, Default: 10 << 20, Min: bound(4096), Disable: true, NewKey: true,
		Doc: "Bytes of one file of a sandbox's output that the engine keeps; 0, -1 or \"null\" = no limit. It applies to the engine's json-file and local log drivers.",
		ZH:  "引擎保留的沙箱输出日志单个文件的字节数；0、-1 或 \"null\" = 不限制。适用于引擎的 json-file 与 local 日志驱动。",
		at:  func(c *Config, _ int) any { return &c.Docker.Hardening.LogMaxBytes },
	},
	{
		Name: "log_max_files", Kind: Integer, Default: 3, Min: bound(1), Max: bound(1000), NewKey: true,
		Doc: "How many such files the engine keeps of one sandbox.",
		ZH:  "引擎为单个沙箱保留的日志文件数。",
		at:  func(c *Config, _ int) any { return &c.Docker.Hardening.LogMaxFiles },
	},
	{
		Name: "shm_size", Kind: Text, Absent: "the engine's default, 64 MiB", check: checkMemory, NewKey: true,
		Sample: `"256Mi"`,
		Doc:    "Size of /dev/shm in a sandbox; browsers need more than the engine's default. It counts as the sandbox's memory.",
		ZH:     "沙箱内 /dev/shm 的大小；浏览器通常需要比引擎默认值更大的空间。占用计入沙箱内存。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.ShmSize },
	},
	{
		Name: "storage_size", Kind: Text, Absent: "no limit", check: checkMemory, NewKey: true,
		Sample: `"10Gi"`,
		Doc:    "What a sandbox may write into its own file system. The engine needs a storage driver with quotas, such as overlay2 on xfs with pquota; the server does not start on one that has none.",
		ZH:     "沙箱可写入自身文件系统的总量。引擎的存储驱动必须支持配额（例如启用 pquota 的 xfs 上的 overlay2），否则服务器拒绝启动。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.StorageSize },
	},
	{
		Name: "tmpfs", Kind: TextList, Absent: "none", NewKey: true,
		Sample: `["/tmp:size=256Mi,mode=1777,exec"]`,
		Doc:    "File systems in memory, each as \"/path:size=256Mi,mode=1777,exec\"; only the path is required. Without a size one holds 64 MiB; without exec nothing in it can be run. A volume of a create request takes the place of one at its path.",
		ZH:     "内存文件系统，每项写作 \"/path:size=256Mi,mode=1777,exec\"，仅路径必填。默认 64 MiB；不写 exec 时其中的文件不可执行。创建请求中挂载到同一路径的卷优先。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.Tmpfs },
	},
	{
		Name: "ulimits", Kind: TextList, Absent: "the engine's default", NewKey: true,
		Sample: `["nofile=4096:65536", "core=0"]`,
		Doc:    "Process limits in a sandbox, each as name=soft or name=soft:hard.",
		ZH:     "沙箱内的进程资源限制，每项写作 name=soft 或 name=soft:hard。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.Ulimits },
	},
	{
		Name: "extra_hosts", Kind: TextList, Absent: "none", NewKey: true,
		Sample: `["registry.internal:10.0.0.5"]`,
		Doc:    "Lines of /etc/hosts in every sandbox, each as name:address. The address host-gateway is the engine's host: whatever listens there can then be reached by name.",
		ZH:     "写入每个沙箱 /etc/hosts 的条目，每项写作 name:address。地址 host-gateway 指引擎所在主机：主机上监听的服务将可按名称访问。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.ExtraHosts },
	},
	{
		Name: "dns_servers", Kind: TextList, Absent: "the engine's", NewKey: true,
		Sample: `["10.0.0.53"]`,
		Doc:    "Addresses of the name servers of sandboxes.",
		ZH:     "沙箱使用的 DNS 服务器地址。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.DNS },
	},
	{
		Name: "dns_search", Kind: TextList, Absent: "the engine's", NewKey: true,
		Sample: `["corp.example"]`,
		Doc:    "Domains that sandboxes try for short names; [\".\"] = none.",
		ZH:     "沙箱解析短名称时尝试的域；[\".\"] = 无。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.DNSSearch },
	},
	{
		Name: "dns_options", Kind: TextList, Absent: "the engine's", NewKey: true,
		Sample: `["ndots:1"]`,
		Doc:    "Options of the sandboxes' resolver.",
		ZH:     "沙箱解析器的选项。",
		at:     func(c *Config, _ int) any { return &c.Docker.Hardening.DNSOptions },
	},
}

var dockerDefaultLimitsSection = Section{
	Name: "docker.default_limits", Only: RuntimeDocker, Lifecycle: true, NewKey: true,
	Doc: "Limits of sandboxes whose create request names none in resourceLimits.",
	ZH:  "创建请求的 resourceLimits 未指定时，沙箱使用的资源限制。",
	Keys: []Key{
		{
			Name: "memory", Kind: Text, Absent: "no limit", check: checkMemory, NewKey: true,
			Doc:     "Memory, without any swap on top.",
			ZH:      "内存上限，不附加交换空间。",
			Example: perRuntime(`"2Gi"`, ""),
			Sample:  `"2Gi"`,
			at:      func(c *Config, _ int) any { return &c.Docker.Hardening.DefaultMemory },
		},
		{
			Name: "cpu", Kind: Text, Absent: "no limit", check: checkCPU, NewKey: true,
			Doc:     "Processors, as \"1.5\" or \"500m\"; never more than the engine has.",
			ZH:      "处理器数量，例如 \"1.5\" 或 \"500m\"；不会超过引擎所在主机的处理器数。",
			Example: perRuntime(`"2"`, ""),
			Sample:  `"2"`,
			at:      func(c *Config, _ int) any { return &c.Docker.Hardening.DefaultCPU },
		},
	},
}

func checkMemory(s string) string {
	if !memoryAmount.MatchString(s) {
		return "Input should be an amount such as 512Mi or 1.5Gi."
	}
	return ""
}

func checkCPU(s string) string {
	if !cpuAmount.MatchString(s) {
		return "Input should be a number of processors such as 1.5 or 500m."
	}
	return ""
}
