// Package xcaddy starts a stock caddy with our modules, built by xcaddy, from
// Caddyfile.example. Its test needs an engine and carries the build tag "xcaddy".
package xcaddy
