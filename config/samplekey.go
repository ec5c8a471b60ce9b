package config

import (
	"strings"

	"github.com/opensandbox-edge/edge/secret"
)

// ExampleKey is the key in sandbox.example.toml, where Caddyfile.example takes it from.
const ExampleKey = "replace-this-with-a-random-key"

// IsSampleKey knows the keys of published pages and examples, ours included, and the
// words people start with. A server that was given one refuses to start.
func IsSampleKey(key secret.Text) bool {
	switch strings.ToLower(strings.TrimSpace(key.Reveal())) {
	case ExampleKey:
		return true
	case "your-secret-api-key", "your-api-key", "your-secure-api-key", "change-me", "changeme", "secret", "password", "api-key", "test":
		return true
	}
	return false
}
