package config

import (
	"slices"
	"time"
)

// DockerRuntime is [docker] (contract 07 §3.2); it is read with runtime.type = "docker" only.
type DockerRuntime struct {
	Host              string // engine address; "" = the engine client's own default
	NetworkMode       string // "host", "bridge" or a network's name, case kept
	APITimeout        time.Duration
	HostIP            string
	HostModePorts     []uint16
	Adopt             string // "unclaimed" | "own" | "all"
	Instance          string // "" = the unnamed instance
	Publish           bool
	DropCapabilities  []string
	AppArmorProfile   string
	NoNewPrivileges   bool
	SeccompProfile    string
	PidsLimit         int64 // 0 = unlimited
	ShareRegistryAuth bool
	PendingFailureTTL time.Duration // 0 = failures are not shown
	ExecdStartTimeout time.Duration
	Network           DockerNetwork
	Hardening         DockerHardening
	Pull              DockerPull
}

var dockerSection = Section{
	Name: "docker", Only: RuntimeDocker, Lifecycle: true,
	Doc: "The Docker runtime; read only with runtime.type = \"docker\".",
	ZH:  "Docker 运行时；仅在 runtime.type = \"docker\" 时读取。",
	Keys: slices.Concat([]Key{
		{
			Name: "host", Kind: Text, Absent: "unix:///var/run/docker.sock", check: checkEngineHost, NewKey: true,
			Sample: `"unix:///var/run/docker.sock"`,
			Doc:    "Address of the Docker Engine. The variable DOCKER_HOST wins over it; with tcp:// the standard DOCKER_TLS_VERIFY and DOCKER_CERT_PATH apply.",
			ZH:     "Docker Engine 的地址。环境变量 DOCKER_HOST 优先；使用 tcp:// 时遵循标准的 DOCKER_TLS_VERIFY 与 DOCKER_CERT_PATH。",
			at:     func(c *Config, _ int) any { return &c.Docker.Host },
		},
		{
			Name: "network_mode", Kind: Text, Default: "host", check: checkNetworkMode,
			Doc:     "Network of the sandboxes: bridge, the name of a network of yours, or host. With host a sandbox shares every port of the machine, so prefer bridge; networkPolicy needs bridge.",
			ZH:      "沙箱使用的网络：bridge、自定义网络名称，或 host。host 模式下沙箱与宿主机共享全部端口，建议使用 bridge；networkPolicy 需要 bridge。",
			Example: perRuntime(`"bridge"`, ""),
			at:      func(c *Config, _ int) any { return &c.Docker.NetworkMode },
		},
		{
			Name: "api_timeout", Kind: Integer, Default: 180, Min: bound(1),
			Doc: "Seconds a call to the engine may take; image pulls are exempt.",
			ZH:  "单次引擎调用的超时秒数；镜像拉取除外。",
			at:  func(c *Config, _ int) any { return &c.Docker.APITimeout },
		},
		{
			Name: "host_ip", Kind: Text, Absent: "detected", check: checkHostName,
			Sample: `"host.docker.internal"`,
			Doc:    "Name or address of the engine's host when the server itself runs in a container, for example host.docker.internal: ports of the host are dialled there, and endpoints name it unless server.host is an address that others can reach.",
			ZH:     "服务器自身运行在容器中时，引擎所在主机的名称或地址，例如 host.docker.internal：用于访问主机上的端口；server.host 不是外部可达的地址时，端点也使用它。",
			at:     func(c *Config, _ int) any { return &c.Docker.HostIP },
		},
		{
			Name: "host_mode_ports", Kind: PortList, Absent: "the daemon's port alone", NewKey: true,
			Sample: "[8080]",
			Doc:    "Ports of the machine that count as the sandbox's with network_mode = \"host\", beside the daemon's; requests for other ports are refused, because they would reach the machine's own services.",
			ZH:     "使用 host 网络时，除守护进程端口外视为沙箱端口的宿主机端口；对其他端口的请求会被拒绝，以免访问宿主机自身的服务。",
			at:     func(c *Config, _ int) any { return &c.Docker.HostModePorts },
		},
		{
			Name: "adopt", Kind: Text, Default: "unclaimed", Enum: []string{"unclaimed", "own", "all"}, NewKey: true,
			Doc: "Which sandboxes found on the engine this server works with, beside those of its own instance: \"unclaimed\" takes those that name no instance, which are the reference server's; \"own\" takes none; \"all\" takes those of every other instance, too. Give every server that shares an engine an instance name; all is for taking over from one that is gone.",
			ZH:  "除本实例的沙箱外，还接管引擎上的哪些沙箱：unclaimed = 未标明实例的沙箱（即参考实现服务器创建的）；own = 不接管；all = 包括其他实例的沙箱。多个服务器共享一个引擎时请分别设置 instance；all 仅用于接管已下线服务器的沙箱。",
			at:  func(c *Config, _ int) any { return &c.Docker.Adopt },
		},
		{
			Name: "instance", Kind: Text, Absent: "the unnamed instance", check: checkInstance, NewKey: true,
			Sample: `"edge-1"`,
			Doc:    "Name of this server, written as a label on everything it creates.",
			ZH:     "本服务器的名称，会作为标签写入其创建的所有对象。",
			at:     func(c *Config, _ int) any { return &c.Docker.Instance },
		},
		{
			Name: "publish", Kind: Boolean, Default: false, NewKey: true,
			Doc: "Publish two ports of every sandbox on publish_address for clients, whose endpoints lead there. Leave it off unless they must go past the server: traffic through it is authenticated, published ports are not. The server's own way to sandboxes is reach.",
			ZH:  "在 publish_address 上为客户端发布每个沙箱的两个端口，端点直接指向它们。除非客户端必须绕过服务器，否则请保持关闭：经由服务器的流量受到鉴权保护，发布的端口则没有。服务器自身的访问方式见 reach。",
			at:  func(c *Config, _ int) any { return &c.Docker.Publish },
		},
		{
			Name: "drop_capabilities", Kind: TextList, check: checkCapability,
			Default: []string{"AUDIT_WRITE", "MKNOD", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_TIME", "SYS_TTY_CONFIG"},
			Doc:     "Linux capabilities taken from sandboxes; [] takes none.",
			ZH:      "从沙箱移除的 Linux 能力；[] 表示不移除。",
			Example: perRuntime(`["AUDIT_WRITE", "MKNOD", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_TIME", "SYS_TTY_CONFIG"]`, ""),
			at:      func(c *Config, _ int) any { return &c.Docker.DropCapabilities },
		},
		{
			Name: "no_new_privileges", Kind: Boolean, Default: true,
			Doc:     "Keep processes in a sandbox from gaining privileges, for example through setuid programs.",
			ZH:      "禁止沙箱内的进程获取新权限（例如通过 setuid 程序）。",
			Example: perRuntime("true", ""),
			at:      func(c *Config, _ int) any { return &c.Docker.NoNewPrivileges },
		},
		{
			Name: "apparmor_profile", Kind: Text, Absent: "the engine's default",
			Doc:     "AppArmor profile of the sandboxes, for example docker-default; \"\" = the engine's default.",
			ZH:      "沙箱使用的 AppArmor 配置，例如 docker-default；\"\" = 引擎默认值。",
			Example: perRuntime(`""`, ""),
			at:      func(c *Config, _ int) any { return &c.Docker.AppArmorProfile },
		},
		{
			Name: "seccomp_profile", Kind: Path, Absent: "the engine's default", FreeText: true,
			Doc:     "Seccomp profile of the sandboxes: a file, the profile's JSON text, or unconfined; \"\" = the engine's default.",
			ZH:      "沙箱使用的 seccomp 配置：文件路径、JSON 文本或 unconfined；\"\" = 引擎默认值。",
			Example: perRuntime(`""`, ""),
			at:      func(c *Config, _ int) any { return &c.Docker.SeccompProfile },
		},
		{
			Name: "pids_limit", Kind: Integer, Default: 4096, Min: bound(1), Disable: true,
			Doc:     "Most processes and threads in one sandbox; 0, -1 or \"null\" = no limit.",
			ZH:      "单个沙箱的进程与线程数上限；0、-1 或 \"null\" = 不限制。",
			Example: perRuntime("4096", ""),
			at:      func(c *Config, _ int) any { return &c.Docker.PidsLimit },
		},
		{
			Name: "share_registry_auth", Kind: Boolean, Default: true, NewKey: true,
			Doc:     "Let create requests that bring no registry credentials pull images with the registry logins of the server's user. Whoever may create sandboxes can then use every image those logins reach.",
			ZH:      "允许未携带仓库凭据的创建请求使用服务器用户的镜像仓库登录信息拉取镜像。开启后，能创建沙箱的人即可使用这些登录可访问的全部镜像。",
			Example: perRuntime("false", ""),
			at:      func(c *Config, _ int) any { return &c.Docker.ShareRegistryAuth },
		},
		{
			Name: "pending_failure_ttl_seconds", Kind: Integer, Default: 3600, Min: bound(0), NewKey: true,
			Doc: "Seconds for which a sandbox that was created with Prefer: respond-async and could not be made is shown as Failed, with the reason; 0 = not at all. The variable PENDING_FAILURE_TTL wins over it.",
			ZH:  "以 Prefer: respond-async 创建但失败的沙箱以 Failed 状态及原因保留显示的秒数；0 = 不保留。环境变量 PENDING_FAILURE_TTL 优先。",
			at:  func(c *Config, _ int) any { return &c.Docker.PendingFailureTTL },
		},
		{
			Name: "execd_start_timeout_seconds", Kind: Integer, Default: 20, Min: bound(1), Max: bound(600), NewKey: true,
			Doc: "Seconds the daemon of a new sandbox may take to answer before the create fails.",
			ZH:  "新沙箱的守护进程必须在多少秒内应答，否则创建失败。",
			at:  func(c *Config, _ int) any { return &c.Docker.ExecdStartTimeout },
		},
	}, dockerNetworkKeys, dockerHardeningKeys, dockerPullKeys),
}
