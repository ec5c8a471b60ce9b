package config

import "time"

// DockerPull are the keys of [docker] about the images of sandboxes.
type DockerPull struct {
	Policy      string // "missing" | "always" | "never"
	Timeout     time.Duration
	MaxAtOnce   int
	MinFree     string // "1Gi"; "0" = no floor
	ShareCached bool
}

var dockerPullKeys = []Key{
	{
		Name: "pull_policy", Kind: Text, Default: "missing", Enum: []string{"missing", "always", "never"}, NewKey: true,
		Doc: "When the image of a new sandbox is pulled: when the engine lacks it (missing), before every create (always), or by the operator alone (never). Images of snapshots are never pulled.",
		ZH:  "何时拉取新沙箱的镜像：引擎缺少时（missing）、每次创建前（always）、仅由运维人员拉取（never）。快照镜像从不拉取。",
		at:  func(c *Config, _ int) any { return &c.Docker.Pull.Policy },
	},
	{
		Name: "pull_timeout_seconds", Kind: Integer, Default: 1800, Min: bound(1), NewKey: true,
		Doc: "Seconds one pull may take, waiting for its turn included.",
		ZH:  "单次镜像拉取（含排队等待）的超时秒数。",
		at:  func(c *Config, _ int) any { return &c.Docker.Pull.Timeout },
	},
	{
		Name: "max_pulls", Kind: Integer, Default: 3, Min: bound(1), Max: bound(100), NewKey: true,
		Doc: "Images that are pulled at the same time; others wait. Creates that want the same image with the same login share one pull.",
		ZH:  "同时拉取的镜像数，其余排队。使用相同登录信息请求同一镜像的创建共享一次拉取。",
		at:  func(c *Config, _ int) any { return &c.Docker.Pull.MaxAtOnce },
	},
	{
		Name: "pull_min_free", Kind: Text, Default: "1Gi", check: checkMemory, NewKey: true,
		Doc: "Room that must be left on the engine's disk for a pull to begin; \"0\" = no check. It works where the server sees the engine's data folder, that is on the same machine.",
		ZH:  "开始拉取镜像前引擎磁盘必须剩余的空间；\"0\" = 不检查。仅当服务器能看到引擎数据目录（即同一主机）时有效。",
		at:  func(c *Config, _ int) any { return &c.Docker.Pull.MinFree },
	},
	{
		Name: "share_cached_images", Kind: Boolean, Default: true, NewKey: true,
		Doc: "Let every create use an image that the engine already has, whoever's login pulled it. With false the registry is asked, at every create, whether the request's login may read the image; images that no registry knows stay usable, and image ids do not.",
		ZH:  "允许任何创建请求使用引擎中已有的镜像，无论当初由谁的登录信息拉取。设为 false 时，每次创建都会向镜像仓库确认请求的登录信息可读取该镜像；本地构建的镜像仍可用，镜像 ID 不可用。",
		at:  func(c *Config, _ int) any { return &c.Docker.Pull.ShareCached },
	},
}
