package config

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/secret"
)

// Server is [server]: the listener, who may call the API, and its limits (contract 07 §3.1).
type Server struct {
	Host           string // IP literal, host name, or unix//absolute/path
	Port           int
	APIKey         secret.Text
	APIKeys        []secret.Text
	APIKeyFile     string
	EIP            string
	PublicHosts    []string
	CORSOrigins    []string
	TLSCertFile    string
	TLSKeyFile     string
	TrustedProxies []string // addresses, CIDR ranges, "unix"
	RequireAccess  string   // "none" | "key" | "secure"
	SecureDefault  bool
	ForwardCreds   bool
	ExecdToken     bool
	Docs           bool
	StrictModes    bool
	MaxTimeout     time.Duration // 0 = no cap
	MaxSandboxes   int           // 0 = no cap
	MaxPending     int           // 0 = no cap
	KeepAlive      time.Duration
	MaxHeaderBytes int
	Concurrency    int // 0 = off
	MaxConns       int // 0 = as many as file descriptors allow
	MaxClientConns int // 0 = no limit
	Backlog        int
	ThreadPoolSize int
	Loop           string
	HTTP           string

	keys []NamedKey
}

// NamedKey is an API key with the name that logs and placeholders show for it.
type NamedKey struct {
	Name string // "environment", "api_key", "api_key_file", "api_keys[0]", …
	Key  secret.Text
}

// Keys returns every key that opens the API, after the environment and api_key_file
// have been applied; none means that the server runs without authentication.
func (s *Server) Keys() []NamedKey { return s.keys }

// ListenAddress is Host and Port in the form "host:port", with an IPv6 host in
// brackets, or "unix//absolute/path".
func (s *Server) ListenAddress() string {
	if strings.HasPrefix(s.Host, unixPrefix) {
		return s.Host
	}
	return net.JoinHostPort(strings.Trim(s.Host, "[]"), strconv.Itoa(s.Port))
}

// IdleTimeout is how long an idle connection stays open. It is a little longer
// than the configured value because clients pool connections for exactly the
// default time, and a close that races a request looks like a failure to them.
func (s *Server) IdleTimeout() time.Duration { return s.KeepAlive + 5*time.Second }

// TLS reports whether the API is served over TLS with a configured certificate.
func (s *Server) TLS() bool { return s.TLSCertFile != "" }

const unixPrefix = "unix/"

// Credentials shorter than this can be guessed.
const (
	WeakAPIKey     = 16 // characters of an API key
	WeakSigningKey = 16 // bytes of a signing key
)

var serverSection = Section{
	Name: "server",
	Doc:  "The lifecycle API: where it listens, who may call it, how much it takes on.",
	ZH:   "生命周期 API：监听地址、访问权限与负载上限。",
	Keys: []Key{
		{
			Name: "host", Kind: Text, Default: "0.0.0.0", MinLength: 1, check: checkBindHost,
			Doc:     "Address to listen on: an IPv4 or IPv6 address, a host name, or unix//absolute/path for a Unix socket. When it is one concrete address it also becomes the host of the endpoints that are handed out.",
			ZH:      "监听地址：IPv4 或 IPv6 地址、主机名，或用 unix//绝对路径 监听 Unix 套接字。若为具体地址，也会作为返回端点中的主机。",
			Example: perRuntime(`"127.0.0.1"`, `"0.0.0.0"`),
			at:      func(c *Config, _ int) any { return &c.Server.Host },
		},
		{
			Name: "port", Kind: Integer, Default: 8080, Min: bound(1), Max: bound(65535),
			Doc:     "TCP port to listen on.",
			ZH:      "监听的 TCP 端口。",
			Example: same("8080"),
			at:      func(c *Config, _ int) any { return &c.Server.Port },
		},
		{
			Name: "api_key", Kind: Secret, Absent: "no authentication", Live: true,
			Sample: `"${SANDBOX_API_KEY}"`,
			Doc:    "Key that clients send in the OPEN-SANDBOX-API-KEY header. Use 16 or more random characters, or \"${NAME}\" to take it from the environment. The variable OPENSANDBOX_SERVER_API_KEY wins over it. Without any key the server asks for confirmation on a terminal, and elsewhere starts only with OPENSANDBOX_INSECURE_SERVER=YES.",
			ZH:     "客户端通过 OPEN-SANDBOX-API-KEY 请求头发送的密钥。请使用 16 个以上的随机字符，或写 \"${NAME}\" 从环境变量读取。环境变量 OPENSANDBOX_SERVER_API_KEY 优先。未配置任何密钥时，终端启动会要求确认，非交互环境需设置 OPENSANDBOX_INSECURE_SERVER=YES 才能启动。",
			at:     func(c *Config, _ int) any { return &c.Server.APIKey },
		},
		{
			Name: "api_keys", Kind: SecretList, Absent: "none", NewKey: true, Live: true,
			Sample: `["${SANDBOX_API_KEY_OLD}"]`,
			Doc:    "Further keys that are accepted beside api_key, so that a key can be replaced without an outage. Each may be \"${NAME}\".",
			ZH:     "除 api_key 之外同样有效的密钥，用于不停机轮换。每一项都可以写成 \"${NAME}\"。",
			at:     func(c *Config, _ int) any { return &c.Server.APIKeys },
		},
		{
			Name: "api_key_file", Kind: Path, Absent: "no file", NewKey: true, Live: true,
			Sample: `"/etc/opensandbox/api-key"`,
			Doc:    "File that holds the key instead of api_key; surrounding white space is ignored. Keep it readable by the server alone.",
			ZH:     "存放密钥的文件，用来代替 api_key；首尾空白会被忽略。请确保只有服务器可读。",
			at:     func(c *Config, _ int) any { return &c.Server.APIKeyFile },
		},
		{
			Name: "eip", Kind: Text, Absent: "derived from host", check: checkPublicAddress, Live: true,
			Sample: `"203.0.113.10"`,
			Doc:    "Public host, or host:port, put into the endpoints that are handed out, for a server behind NAT or a load balancer. The server itself never connects to it.",
			ZH:     "写入返回端点的公网主机（或 主机:端口），适用于 NAT 或负载均衡之后的服务器。服务器自身不会连接该地址。",
			at:     func(c *Config, _ int) any { return &c.Server.EIP },
		},
		{
			Name: "public_hosts", Kind: TextList, Absent: "any host", check: checkHostName, NewKey: true, Live: true,
			Sample: `["sandbox-api.example.com"]`,
			Doc:    "Host names under which the API is served, beside eip, host and loopback. When it is set, a request for another host is answered with 421; set it when the server is reachable from browsers or untrusted networks.",
			ZH:     "除 eip、host 和回环地址之外允许访问 API 的主机名。设置后，其他主机名的请求会得到 421。服务器可被浏览器或不可信网络访问时请设置。",
			at:     func(c *Config, _ int) any { return &c.Server.PublicHosts },
		},
		{
			Name: "cors_origins", Kind: TextList, Absent: "any origin, without credentials", check: checkOrigin, NewKey: true, Live: true,
			Sample: `["https://console.example.com"]`,
			Doc:    "Web origins (scheme://host[:port]) whose pages may call the API with browser credentials. Without it any origin may call, but never with credentials.",
			ZH:     "允许其页面携带浏览器凭据调用 API 的来源（scheme://host[:port]）。不设置时任何来源都可调用，但不能携带凭据。",
			at:     func(c *Config, _ int) any { return &c.Server.CORSOrigins },
		},
		{
			Name: "tls_cert_file", Kind: Path, Absent: "plain HTTP", NewKey: true,
			Sample: `"/etc/opensandbox/tls.crt"`,
			Doc:    "PEM file with the certificate chain; together with tls_key_file it makes the listener speak HTTPS.",
			ZH:     "PEM 格式的证书链文件；与 tls_key_file 一起设置后监听端口使用 HTTPS。",
			at:     func(c *Config, _ int) any { return &c.Server.TLSCertFile },
		},
		{
			Name: "tls_key_file", Kind: Path, Absent: "plain HTTP", NewKey: true,
			Sample: `"/etc/opensandbox/tls.key"`,
			Doc:    "PEM file with the private key of tls_cert_file.",
			ZH:     "tls_cert_file 对应的 PEM 私钥文件。",
			at:     func(c *Config, _ int) any { return &c.Server.TLSKeyFile },
		},
		{
			Name: "trusted_proxies", Kind: TextList, Absent: "none", check: checkNetwork, NewKey: true, Live: true,
			Sample: `["10.0.0.0/8"]`,
			Doc:    "Addresses or CIDR ranges of proxies in front of this server whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed. What anybody else says about a request's origin is replaced. \"unix\" stands for whoever connects through a Unix socket.",
			ZH:     "本服务器之前的可信代理的地址或 CIDR 网段；只采信它们的 X-Forwarded-For、X-Forwarded-Proto 与 X-Forwarded-Host。其他来源的这些请求头会被替换。\"unix\" 表示通过 Unix 套接字连接的一方。",
			at:     func(c *Config, _ int) any { return &c.Server.TrustedProxies },
		},
		{
			Name: "require_access", Kind: Text, Default: "none", Enum: []string{"none", "key", "secure"}, NewKey: true, Live: true,
			Doc: "What a request into a sandbox must show: none = the unguessable sandbox id is enough, as published clients expect; key = the API key; secure = the sandbox's own access token or a signed route, so that sandboxes created without secureAccess take signed requests only, beside those to their daemon. The daemon's port asks for the sandbox's own token instead, which endpoint answers carry; with key, a daemon without a token (execd_access_token = false) asks for the API key, too.",
			ZH:  "访问沙箱时需要出示的凭证：none = 仅凭不可猜测的沙箱 ID（已发布的客户端按此工作）；key = API 密钥。守护进程端口改为要求端点信息中携带的沙箱令牌；若守护进程没有令牌（execd_access_token = false），key 模式下同样要求 API 密钥。secure = 要求沙箱自己的访问令牌或签名路由，未以 secureAccess 创建的沙箱除发往其守护进程的请求外，只接受签名路由的请求。",
			at:  func(c *Config, _ int) any { return &c.Server.RequireAccess },
		},
		{
			Name: "secure_default", Kind: Boolean, Default: false, NewKey: true, Live: true,
			Doc: "Create every sandbox as if its request said secureAccess: true, unless it says false. Only with ingress.mode = \"gateway\".",
			ZH:  "创建沙箱时默认视为 secureAccess: true，除非请求明确为 false。仅用于 ingress.mode = \"gateway\"。",
			at:  func(c *Config, _ int) any { return &c.Server.SecureDefault },
		},
		{
			Name: "forward_credentials", Kind: Boolean, Default: false, NewKey: true, Live: true,
			Doc: "Let the headers Cookie and Authorization of requests on /sandboxes/{id}/proxy/{port} through to the sandbox. All sandboxes and the API share one web origin there, so a browser's credentials for one would reach another. Gateway routes pass them in any case, except that uri and header routes need this as well when ingress.shared_origin_isolation is strict.",
			ZH:  "将 /sandboxes/{id}/proxy/{port} 请求中的 Cookie 与 Authorization 请求头传入沙箱。该路径下所有沙箱与 API 同源，浏览器的凭据可能因此泄露给其他沙箱。网关路由始终会传递这些请求头；但 ingress.shared_origin_isolation 为 strict 时，uri 与 header 路由也需开启此项。",
			at:  func(c *Config, _ int) any { return &c.Server.ForwardCreds },
		},
		{
			Name: "execd_access_token", Kind: Boolean, Default: true, NewKey: true,
			Doc: "Give every sandbox's daemon a token of its own, which the endpoint answers carry for clients. Switch it off only for clients that drop endpoint headers.",
			ZH:  "为每个沙箱的守护进程分配独立令牌，并随端点信息返回给客户端。仅当客户端会丢弃端点请求头时才关闭。",
			at:  func(c *Config, _ int) any { return &c.Server.ExecdToken },
		},
		{
			Name: "docs", Kind: Boolean, Default: true, NewKey: true, Live: true,
			Doc: "Serve the API documentation at /docs, /redoc and /openapi.json; these need no key.",
			ZH:  "在 /docs、/redoc 与 /openapi.json 提供 API 文档；访问无需密钥。",
			at:  func(c *Config, _ int) any { return &c.Server.Docs },
		},
		{
			Name: "strict_permissions", Kind: Boolean, Default: false, NewKey: true,
			Doc: "Refuse to start, rather than warn, when this file or a key file with credentials in it is readable by other users.",
			ZH:  "当本文件或密钥文件包含凭据且可被其他用户读取时，拒绝启动而不是仅告警。",
			at:  func(c *Config, _ int) any { return &c.Server.StrictModes },
		},
		{
			Name: "max_sandbox_timeout_seconds", Kind: Integer, Absent: "no limit", Min: bound(60),
			Doc:     "Longest lifetime a create request may ask for; a longer one is refused. Renewals by the API are not capped.",
			ZH:      "创建请求可申请的最长存活时间（秒），超过则拒绝。API 续期不受此限制。",
			Example: same("86400"),
			at:      func(c *Config, _ int) any { return &c.Server.MaxTimeout },
		},
		{
			Name: "max_sandboxes", Kind: Integer, Default: 0, Min: bound(0), NewKey: true,
			Doc: "Most sandboxes that may exist at once; a further create is answered with 429. 0 = no limit.",
			ZH:  "同时存在的沙箱数量上限，超出的创建请求得到 429。0 = 不限制。",
			at:  func(c *Config, _ int) any { return &c.Server.MaxSandboxes },
		},
		{
			Name: "max_pending_creates", Kind: Integer, Default: 0, Min: bound(0), NewKey: true,
			Doc:     "Most creates in progress per API key; a further one is answered with 429 and Retry-After. 0 = no limit.",
			ZH:      "每个 API 密钥同时进行的创建请求上限，超出的请求得到 429 与 Retry-After。0 = 不限制。",
			Example: same("200"),
			at:      func(c *Config, _ int) any { return &c.Server.MaxPending },
		},
		{
			Name: "timeout_keep_alive", Kind: Integer, Default: 30, Min: bound(1), Live: true,
			Doc: "Seconds an idle client connection is kept (five seconds of grace are added).",
			ZH:  "空闲客户端连接的保持秒数（另加 5 秒宽限）。",
			at:  func(c *Config, _ int) any { return &c.Server.KeepAlive },
		},
		{
			Name: "max_header_bytes", Kind: Integer, Default: 65536, Min: bound(4096), Max: bound(1 << 20), NewKey: true, Live: true,
			Doc: "Largest request head, in bytes.",
			ZH:  "请求头的最大字节数。",
			at:  func(c *Config, _ int) any { return &c.Server.MaxHeaderBytes },
		},
		{
			Name: "limit_concurrency", Kind: Integer, Default: 1024, Min: bound(0), Live: true,
			Doc: "API requests in flight; the next one is answered with 503 and Retry-After. Health checks and traffic into sandboxes do not count. 0 = no limit.",
			ZH:  "同时处理的 API 请求上限，超出的请求得到 503 与 Retry-After。健康检查与沙箱流量不计入。0 = 不限制。",
			at:  func(c *Config, _ int) any { return &c.Server.Concurrency },
		},
		{
			Name: "max_connections", Kind: Integer, Default: 0, Min: bound(0), NewKey: true, Live: true,
			Doc: "Client connections at once. A part is kept free for the API and for health checks. 0 = as many as the process may have file descriptors.",
			ZH:  "同时存在的客户端连接上限，其中一部分保留给 API 与健康检查。0 = 由进程的文件描述符数量决定。",
			at:  func(c *Config, _ int) any { return &c.Server.MaxConns },
		},
		{
			Name: "max_connections_per_client", Kind: Integer, Default: 4096, Min: bound(0), NewKey: true, Live: true,
			Doc: "Connections at once from one client address (IPv6: one /64). Trusted proxies are exempt. 0 = no limit.",
			ZH:  "单个客户端地址（IPv6 为 /64）的同时连接上限。可信代理不受限制。0 = 不限制。",
			at:  func(c *Config, _ int) any { return &c.Server.MaxClientConns },
		},
		{
			Name: "backlog", Kind: Integer, Default: 2048, Min: bound(1),
			Doc: "Connections the kernel queues before they are accepted; net.core.somaxconn caps it.",
			ZH:  "内核中等待接受的连接队列长度，受 net.core.somaxconn 限制。",
			at:  func(c *Config, _ int) any { return &c.Server.Backlog },
		},
		{
			Name: "thread_pool_size", Kind: Integer, Default: 200, Min: bound(1),
			Doc: "Backend operations (calls to Docker or Kubernetes) that API requests may run at once; further ones wait.",
			ZH:  "API 请求可同时执行的后端操作（Docker 或 Kubernetes 调用）数量，超出的等待。",
			at:  func(c *Config, _ int) any { return &c.Server.ThreadPoolSize },
		},
		{
			Name: "loop", Kind: Text, Inert: true, Default: "auto", Enum: []string{"auto", "uvloop", "asyncio"},
			Doc: "Accepted so that files stay portable; this server has no event-loop library to choose.",
			ZH:  "为保持配置文件可移植而接受；本服务器没有可选的事件循环库，设置无效果。",
			at:  func(c *Config, _ int) any { return &c.Server.Loop },
		},
		{
			Name: "http", Kind: Text, Inert: true, Default: "auto", Enum: []string{"auto", "httptools", "h11"},
			Doc: "Accepted so that files stay portable; this server has no HTTP parser to choose.",
			ZH:  "为保持配置文件可移植而接受；本服务器没有可选的 HTTP 解析器，设置无效果。",
			at:  func(c *Config, _ int) any { return &c.Server.HTTP },
		},
	},
}
