package main

import (
	_ "github.com/caddyserver/caddy/v2/modules/standard" // Caddy's own modules: TLS, encoders, the Caddyfile adapter …

	_ "github.com/opensandbox-edge/edge/caddymodule" // ours
)
