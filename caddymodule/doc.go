// Package caddymodule adapts the edge to Caddy: the app that owns the long-lived
// state, the three handlers, the config adapter for the TOML file, the listener
// network, the log encoder and writer, and the admin view. Each file is one module;
// everything they do is done by the libraries they adapt.
//
// Blank-import the package to add the modules to a Caddy build.
package caddymodule
