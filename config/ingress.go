package config

import "github.com/opensandbox-edge/edge/secret"

// Ingress is [ingress]: how clients reach ports inside sandboxes (contract 07 §3.5, 04 §2.1).
type Ingress struct {
	Mode         string // "direct" | "gateway"
	PublicPort   int    // 0 = as the address says
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
