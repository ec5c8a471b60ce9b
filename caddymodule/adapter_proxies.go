package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/opensandbox-edge/edge/ingress/forwarded"
)

// trustProxies gives Caddy the list that our own handlers go by, so that the client in
// access lines is the one they see: X-Forwarded-For alone, read from its end.
func trustProxies(s *caddyhttp.Server, list []string) {
	var ranges []string
	for _, entry := range list {
		if entry == forwarded.Unix {
			s.TrustedProxiesUnix = true
			continue
		}
		ranges = append(ranges, entry)
	}
	if len(list) == 0 {
		return
	}
	s.TrustedProxiesStrict = 1
	s.TrustedProxiesRaw, _ = json.Marshal(map[string]any{"source": "static", "ranges": ranges})
}
