package config

import (
	"time"

	"github.com/opensandbox-edge/edge/secret"
)

// RenewIntent is [renew_intent]: sandboxes that opted in live longer while they are used (contract 04 §2.2).
type RenewIntent struct {
	Enabled     bool
	MinInterval time.Duration
	Redis       RenewRedis
}

// RenewRedis carries renewals from other gateways to this server.
type RenewRedis struct {
	Enabled     bool
	DSN         secret.Text // may hold a password
	QueueKey    string
	QueueMaxLen int // kept by a publisher; 0 = all
	Concurrency int
}

var renewIntentSection = Section{
	Name: "renew_intent",
	Doc:  "Experimental: traffic into a sandbox that opted in (extension access.renew.extend.seconds) moves its expiry. Idle timeouts (extension access.idle.timeout.seconds) work without it for what this server proxies itself.",
	ZH:   "实验性功能：对已开启续期（扩展 access.renew.extend.seconds）的沙箱，访问流量会推迟其到期时间。空闲超时（扩展 access.idle.timeout.seconds）对本服务器自身代理的流量无需启用此项。",
	Keys: []Key{
		{
			Name: "enabled", Kind: Boolean, Default: false, Live: true,
			Doc:     "Switch renewal on access on.",
			ZH:      "启用访问续期。",
			Example: same("false"),
			at:      func(c *Config, _ int) any { return &c.RenewIntent.Enabled },
		},
		{
			Name: "min_interval_seconds", Kind: Integer, Default: 60, Min: bound(1), Live: true,
			Doc:     "Least seconds between two renewals of one sandbox; with an idle timeout at most a twentieth of that.",
			ZH:      "同一沙箱两次续期的最小间隔秒数；设有空闲超时的沙箱最多为其二十分之一。",
			Example: same("60"),
			at:      func(c *Config, _ int) any { return &c.RenewIntent.MinInterval },
		},
	},
}

var renewRedisSection = Section{
	Name: "renew_intent.redis", Dotted: true,
	Doc: "Needed only when other gateways serve the sandboxes' traffic; this server renews what it proxies itself without it.",
	ZH:  "仅当沙箱流量由其他 gateway 处理时需要；本服务器代理的流量无需 Redis 即可续期。",
	Keys: []Key{
		{
			Name: "enabled", Kind: Boolean, Default: false,
			Doc: "Read renewals of other gateways from a Redis list. With [control] this process is such a gateway, and writes them there.",
			ZH:  "从 Redis 列表读取其他 gateway 的续期请求；设置 [control] 时本进程即为 gateway，会将续期请求写入该列表。",
			at:  func(c *Config, _ int) any { return &c.RenewIntent.Redis.Enabled },
		},
		{
			Name: "dsn", Kind: Secret, Absent: "none",
			Sample: `"redis://127.0.0.1:6379/0"`,
			Doc:    "Address of Redis: redis://, rediss:// or unix://, or \"${NAME}\" to take it from the environment.",
			ZH:     "Redis 地址：redis://、rediss:// 或 unix://，或写 \"${NAME}\" 从环境变量读取。",
			at:     func(c *Config, _ int) any { return &c.RenewIntent.Redis.DSN },
		},
		{
			Name: "queue_key", Kind: Text, Default: "opensandbox:renew:intent", MinLength: 1,
			Doc: "Name of the list.",
			ZH:  "列表名称。",
			at:  func(c *Config, _ int) any { return &c.RenewIntent.Redis.QueueKey },
		},
		{
			Name: "queue_max_len", Kind: Integer, Default: 0, Min: bound(0), NewKey: true,
			Doc: "Entries that a gateway keeps in the list, the newest ones; 0 = all.",
			ZH:  "gateway 在列表中保留的最新条目数；0 = 不裁剪。",
			at:  func(c *Config, _ int) any { return &c.RenewIntent.Redis.QueueMaxLen },
		},
		{
			Name: "consumer_concurrency", Kind: Integer, Default: 8, Min: bound(1),
			Doc: "Renewals that are worked on at once.",
			ZH:  "同时处理的续期请求数。",
			at:  func(c *Config, _ int) any { return &c.RenewIntent.Redis.Concurrency },
		},
	},
}
