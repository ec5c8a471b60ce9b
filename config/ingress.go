package config

import (
	"time"

	"github.com/opensandbox-edge/edge/secret"
)

// Ingress is [ingress]: how clients reach ports inside sandboxes (contract 07 §3.5, 04 §2.1).
type Ingress struct {
	Mode         string // "direct" | "gateway"
	PublicPort   int    // 0 = as the address says
	Isolation    string // "cookies" | "strict" | "off"
	CrossSite    string // "refuse" | "allow"
	PreserveHost bool
	Wait         time.Duration // 0 = do not wait
	MaxWaiting   int
	AutoResume   bool
	HideExisting bool
	MaxRequests  int    // into one sandbox; 0 = no limit
	Core         string // "direct" | "nethttp"
	KeepClients  bool
	Gateway      Gateway
	SecureAccess SecureAccess
}

// Gateway is [ingress.gateway]; its zero value goes with Mode "direct".
type Gateway struct {
	Address string
	Route   Route
	Also    []GatewayRoute
}

// Route is [ingress.gateway.route].
type Route struct {
	Mode string // "wildcard" | "header" | "uri"
}

// GatewayRoute is one route form with the address it is served under.
type GatewayRoute struct {
	Mode    string // "wildcard" | "header" | "uri"
	Address string
}

// Routes returns every configured gateway route, the primary one first; none in direct mode.
func (i *Ingress) Routes() []GatewayRoute {
	if i.Mode != ModeGateway {
		return nil
	}
	return append([]GatewayRoute{{Mode: i.Gateway.Route.Mode, Address: i.Gateway.Address}}, i.Gateway.Also...)
}

// SecureAccess is [ingress.secure_access]; without keys there are no signed routes.
type SecureAccess struct {
	ActiveKey     string // the key_id that new signatures use
	AllowWeakKeys bool
	MaxTTL        time.Duration // how far ahead a signed route may expire
	Keys          []SigningKey
}

// SigningKey is one of [[ingress.secure_access.keys]].
type SigningKey struct {
	ID  string      // one character of [0-9a-z]
	Key secret.Text // base64, padded or not
}

// The values of ingress.mode and of a route's mode.
const (
	ModeDirect    = "direct"
	ModeGateway   = "gateway"
	RouteWildcard = "wildcard"
	RouteHeader   = "header"
	RouteURI      = "uri"
)

var ingressSection = Section{
	Name: "ingress",
	Doc:  "How clients reach ports inside sandboxes. Direct routes (/sandboxes/{id}/proxy/{port}) always work; a gateway adds one or more of the forms wildcard, header and uri.",
	ZH:   "客户端访问沙箱内端口的方式。直接路由（/sandboxes/{id}/proxy/{port}）始终可用；gateway 模式可增加 wildcard、header、uri 形式。",
	Keys: []Key{
		{
			Name: "mode", Kind: Text, Default: ModeDirect, Enum: []string{ModeDirect, ModeGateway},
			Doc:     "Which routes exist: direct = direct routes only; gateway = the routes of [ingress.gateway] as well, which endpoint answers then name.",
			ZH:      "启用的路由：direct = 仅直接路由；gateway = 同时启用 [ingress.gateway] 中的路由，并在端点信息中返回。",
			Example: same(`"direct"`),
			at:      func(c *Config, _ int) any { return &c.Ingress.Mode },
		},
		{
			Name: "public_port", Kind: Integer, Absent: "as the address says", Min: bound(1), Max: bound(65535), NewKey: true,
			Sample: `8443`,
			Doc:    "Port that clients use to reach the gateway's addresses, appended to endpoints whose address has none.",
			ZH:     "客户端访问 gateway 地址时使用的端口；地址中未包含端口时附加到端点上。",
			at:     func(c *Config, _ int) any { return &c.Ingress.PublicPort },
		},
		{
			Name: "shared_origin_isolation", Kind: Text, Default: "cookies", Enum: []string{"cookies", "strict", "off"}, NewKey: true, Live: true,
			Doc: "How sandboxes that share one web origin (direct, uri and header routes) are kept apart in browsers: cookies = answers lose what acts on the whole origin, cookies are confined to their route, worker scripts are refused; strict = documents are sandboxed as well, and browsers' cookies and Basic credentials do not reach the sandbox; off = nothing.",
			ZH:  "共享同一来源（direct、uri、header 路由）的沙箱在浏览器中的隔离方式：cookies = 去除影响整个来源的响应头，Cookie 限制在各自路由内，拒绝 worker 脚本；strict = 另外对文档加 CSP sandbox，且浏览器的 Cookie 与 Basic 凭据不会传入沙箱；off = 不隔离。",
			at:  func(c *Config, _ int) any { return &c.Ingress.Isolation },
		},
		{
			Name: "cross_site", Kind: Text, Default: "refuse", Enum: []string{"refuse", "allow"}, NewKey: true, Live: true,
			Doc: "What happens to a WebSocket or a request that changes something when it carries a cookie and another site's Origin: refuse = 403; allow = the application decides.",
			ZH:  "对于携带 Cookie 且 Origin 为其他站点的 WebSocket 或写请求：refuse = 返回 403；allow = 由应用自行判断。",
			at:  func(c *Config, _ int) any { return &c.Ingress.CrossSite },
		},
		{
			Name: "preserve_host", Kind: Boolean, Default: false, NewKey: true, Live: true,
			Doc: "Send the client's Host to applications instead of the sandbox's address. X-Forwarded-Host carries it in any case.",
			ZH:  "向应用传递客户端的 Host，而不是沙箱地址。X-Forwarded-Host 始终会携带它。",
			at:  func(c *Config, _ int) any { return &c.Ingress.PreserveHost },
		},
		{
			Name: "wait_seconds", Kind: Integer, Default: 10, Min: bound(0), Max: bound(300), NewKey: true, Live: true,
			Doc: "How long a request that was granted access waits for a sandbox that is starting or resuming before it is answered with 503. 0 = not at all.",
			ZH:  "已通过访问检查的请求等待沙箱启动或恢复的最长秒数，超过后返回 503。0 = 不等待。",
			at:  func(c *Config, _ int) any { return &c.Ingress.Wait },
		},
		{
			Name: "max_waiting", Kind: Integer, Default: 1024, Min: bound(0), NewKey: true, Live: true,
			Doc: "Requests that may wait at once, over all sandboxes; one sandbox gets at most a quarter of them.",
			ZH:  "同时等待的请求总数上限；单个沙箱最多占四分之一。",
			at:  func(c *Config, _ int) any { return &c.Ingress.MaxWaiting },
		},
		{
			Name: "auto_resume", Kind: Boolean, Default: false, NewKey: true, Live: true,
			Doc: "Resume a paused sandbox when a request that was granted access arrives, and let the request wait for it.",
			ZH:  "当已通过访问检查的请求到达已暂停的沙箱时自动恢复沙箱，请求等待其恢复。",
			at:  func(c *Config, _ int) any { return &c.Ingress.AutoResume },
		},
		{
			Name: "hide_existence", Kind: Boolean, Default: false, NewKey: true, Live: true,
			Doc: "Answer unknown, unready and refused sandboxes alike (404), so that nobody without access learns which ids exist.",
			ZH:  "对不存在、未就绪与拒绝访问的沙箱给出相同的 404 响应，避免无权限者探知沙箱 ID。",
			at:  func(c *Config, _ int) any { return &c.Ingress.HideExisting },
		},
		{
			Name: "max_requests_per_sandbox", Kind: Integer, Default: 4096, Min: bound(0), NewKey: true, Live: true,
			Doc: "Requests, streams and WebSockets into one sandbox at once; the next one is answered with 503 and Retry-After. 0 = no limit.",
			ZH:  "单个沙箱同时处理的请求、流与 WebSocket 总数上限，超出的得到 503 与 Retry-After。0 = 不限制。",
			at:  func(c *Config, _ int) any { return &c.Ingress.MaxRequests },
		},
		{
			Name: "proxy_core", Kind: Text, Default: "direct", Enum: []string{"direct", "nethttp"}, NewKey: true, Live: true,
			Doc: "What carries requests to sandboxes: direct = the server's own HTTP/1.1 client; nethttp = the Go standard library's, slower, for comparison or in case of doubt.",
			ZH:  "与沙箱通信的实现：direct = 服务器自带的 HTTP/1.1 客户端；nethttp = Go 标准库客户端，较慢，用于比对或排查问题。",
			at:  func(c *Config, _ int) any { return &c.Ingress.Core },
		},
		{
			Name: "keep_clients", Kind: Boolean, Default: true, NewKey: true, Live: true,
			Doc: "Let a plain HTTP/1.1 connection that has carried a sandbox request stay with the proxy for the requests that follow: faster, and not touched by reloads.",
			ZH:  "明文 HTTP/1.1 连接在承载过一次沙箱请求后由代理继续处理后续请求：更快，且不受重载影响。",
			at:  func(c *Config, _ int) any { return &c.Ingress.KeepClients },
		},
	},
}

var gatewaySection = Section{
	Name: "ingress.gateway", Chosen: true,
	Doc: "Only with ingress.mode = \"gateway\", and required then.",
	ZH:  "仅用于 ingress.mode = \"gateway\"，且此时必填。",
	Keys: []Key{
		{
			Name: "address", Kind: Text, Required: true, MinLength: 1,
			Sample: `"*.sandboxes.example.com"`,
			Doc:    "Where the gateway is reached, without a scheme: *.sandboxes.example.com for wildcard, gateway.example.com[:port] for header, gateway.example.com[:port][/prefix] for uri. Use a domain that serves nothing else.",
			ZH:     "gateway 的访问地址，不带 scheme：wildcard 用 *.sandboxes.example.com，header 用 gateway.example.com[:端口]，uri 用 gateway.example.com[:端口][/前缀]。请使用专用域名。",
			at:     func(c *Config, _ int) any { return &c.Ingress.Gateway.Address },
		},
	},
}

var gatewayRouteSection = Section{
	Name: "ingress.gateway.route", Required: true, Dotted: true, Chosen: true,
	Doc: "The form of the primary route.",
	ZH:  "主路由的形式。",
	Keys: []Key{
		{
			Name: "mode", Kind: Text, Required: true, Enum: []string{RouteWildcard, RouteHeader, RouteURI},
			Sample: `"wildcard"`,
			Doc:    "How a request names its sandbox: wildcard = {id}-{port} as a host label; header = the OpenSandbox-Ingress-To header; uri = /{id}/{port}/…",
			ZH:     "请求指定沙箱的方式：wildcard = 主机名前缀 {id}-{port}；header = OpenSandbox-Ingress-To 请求头；uri = /{id}/{port}/…",
			at:     func(c *Config, _ int) any { return &c.Ingress.Gateway.Route.Mode },
		},
	},
}

var gatewayAlsoSection = Section{
	Name: "ingress.gateway.also", Array: true, NewKey: true, Chosen: true,
	Doc:    "Further routes that are served at the same time; endpoint answers keep naming the primary one.",
	ZH:     "同时提供的其他路由；端点信息仍返回主路由。",
	resize: func(c *Config, n int) { c.Ingress.Gateway.Also = make([]GatewayRoute, n) },
	length: func(c *Config) int { return len(c.Ingress.Gateway.Also) },
	Keys: []Key{
		{
			Name: "mode", Kind: Text, Required: true, Enum: []string{RouteWildcard, RouteHeader, RouteURI}, NewKey: true,
			Sample: `"uri"`,
			Doc:    "wildcard, header or uri.",
			ZH:     "wildcard、header 或 uri。",
			at:     func(c *Config, i int) any { return &c.Ingress.Gateway.Also[i].Mode },
		},
		{
			Name: "address", Kind: Text, Required: true, MinLength: 1, NewKey: true,
			Sample: `"gateway.example.com/sandboxes"`,
			Doc:    "Where this route is reached; the rules of ingress.gateway.address apply.",
			ZH:     "该路由的访问地址；规则与 ingress.gateway.address 相同。",
			at:     func(c *Config, i int) any { return &c.Ingress.Gateway.Also[i].Address },
		},
	},
}

var secureAccessSection = Section{
	Name: "ingress.secure_access", Chosen: true,
	Doc: "Keys for signed routes; only with ingress.mode = \"gateway\".",
	ZH:  "签名路由使用的密钥；仅用于 ingress.mode = \"gateway\"。",
	Keys: []Key{
		{
			Name: "active_key", Kind: Text, Required: true, Live: true, check: checkActiveKey,
			Sample: `"a"`,
			Doc:    "The key_id that new signatures are made with; the other keys keep verifying.",
			ZH:     "新签名使用的 key_id；其他密钥仍可用于校验。",
			at:     func(c *Config, _ int) any { return &c.Ingress.SecureAccess.ActiveKey },
		},
		{
			Name: "allow_weak_keys", Kind: Boolean, Default: false, NewKey: true, Live: true,
			Doc: "Accept signing keys of fewer than 16 bytes, which one leaked link lets an attacker search.",
			ZH:  "接受少于 16 字节的签名密钥；泄露一个链接后攻击者即可穷举这类密钥。",
			at:  func(c *Config, _ int) any { return &c.Ingress.SecureAccess.AllowWeakKeys },
		},
		{
			Name: "max_signed_ttl_seconds", Kind: Integer, Default: 2592000, Min: bound(60), NewKey: true, Live: true,
			Doc: "How far ahead a signed route may expire. Routes beyond are neither handed out nor accepted, so that a guessed signature is no access for ever.",
			ZH:  "签名路由的最长有效期（秒）。超出的既不签发也不接受，避免猜中的签名永久有效。",
			at:  func(c *Config, _ int) any { return &c.Ingress.SecureAccess.MaxTTL },
		},
	},
}

var secureAccessKeysSection = Section{
	Name: "ingress.secure_access.keys", Array: true, Required: true, Chosen: true,
	Doc:    "One table per signing key; at least one.",
	ZH:     "每个签名密钥一个表；至少一个。",
	resize: func(c *Config, n int) { c.Ingress.SecureAccess.Keys = make([]SigningKey, n) },
	length: func(c *Config) int { return len(c.Ingress.SecureAccess.Keys) },
	Keys: []Key{
		{
			Name: "key_id", Kind: Text, Required: true, Live: true, check: checkKeyID,
			Sample: `"a"`,
			Doc:    "Name of the key: one character of 0-9a-z, unique.",
			ZH:     "密钥名称：一个 0-9a-z 字符，不可重复。",
			at:     func(c *Config, i int) any { return &c.Ingress.SecureAccess.Keys[i].ID },
		},
		{
			Name: "key", Kind: Secret, Required: true, Live: true,
			Sample: `"${SANDBOX_SIGNING_KEY}"`,
			Doc:    "The key: base64, padded or not, 16 bytes or more; or \"${NAME}\" to take it from the environment.",
			ZH:     "密钥内容：base64（可省略填充），至少 16 字节；或写 \"${NAME}\" 从环境变量读取。",
			at:     func(c *Config, i int) any { return &c.Ingress.SecureAccess.Keys[i].Key },
		},
	},
}
