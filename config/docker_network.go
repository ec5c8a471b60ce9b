package config

// DockerNetwork are the keys of [docker] about the way to sandboxes, beside those the
// reference has.
type DockerNetwork struct {
	Reach          string // "auto" | "address" | "published"
	PublishAddress string
	PortRangeMin   int
	PortRangeMax   int
}

var dockerNetworkKeys = []Key{
	{
		Name: "reach", Kind: Text, Default: "auto", Enum: []string{"auto", "address", "published"}, NewKey: true,
		Doc: "How the server gets to sandboxes on a network of their own: address = it dials their addresses and nothing is published; published = the engine publishes two ports of each sandbox on publish_address, for the server alone; auto = tried once at every start, address if that works.",
		ZH:  "服务器如何访问拥有独立网络的沙箱：address = 直接访问沙箱地址，不发布端口；published = 引擎在 publish_address 上发布每个沙箱的两个端口，仅供服务器使用；auto = 每次启动时探测一次，可直接访问时采用 address。",
		at:  func(c *Config, _ int) any { return &c.Docker.Network.Reach },
	},
	{
		Name: "publish_address", Kind: Text, Default: "127.0.0.1", check: checkPublishAddress, NewKey: true,
		Doc: "Address of the engine's host on which sandbox ports are published, for whatever reason; 0.0.0.0 or :: = all of them, where whoever reaches the host gets past the server's access checks.",
		ZH:  "引擎所在主机上用于发布沙箱端口的地址；0.0.0.0 或 :: = 全部地址，此时能访问主机者可绕过服务器的访问检查。",
		at:  func(c *Config, _ int) any { return &c.Docker.Network.PublishAddress },
	},
	{
		Name: "port_range_min", Kind: Integer, Default: 40000, Min: bound(1024), Max: bound(65535), NewKey: true,
		Doc: "First of the host's ports that sandboxes may take: published ones, and the daemon's of each sandbox with network_mode = \"host\".",
		ZH:  "沙箱可使用的宿主机端口范围起点：用于发布的端口，以及 host 网络下每个沙箱守护进程的端口。",
		at:  func(c *Config, _ int) any { return &c.Docker.Network.PortRangeMin },
	},
	{
		Name: "port_range_max", Kind: Integer, Default: 60000, Min: bound(1024), Max: bound(65535), NewKey: true,
		Doc: "Last of those ports.",
		ZH:  "该端口范围的终点。",
		at:  func(c *Config, _ int) any { return &c.Docker.Network.PortRangeMax },
	},
}

func portRange(d *decoder) (string, string) {
	if n := d.config.Docker.Network; n.PortRangeMax < n.PortRangeMin {
		return "docker.port_range_max", "port_range_max must not be smaller than port_range_min."
	}
	return "", ""
}
