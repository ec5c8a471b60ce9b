// Package config turns the server's one TOML file into a validated [Config]
// (contract 07). Everything about a key is written once, in the key table of its
// section's file: type, default, bounds, explanation in English and Chinese,
// example values. Decoding, messages, the init-config templates, check-config's
// output and docs/reference/configuration.md are all derived from that table.
//
// The package reads files and environment variables and nothing else: it opens no
// socket, asks no backend and changes nothing. It imports no Caddy and no other
// package of ours but secret.
package config
