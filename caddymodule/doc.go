// Package caddymodule adapts the edge to Caddy. Everything its modules do is done by the
// libraries they adapt; blank-import the package to add them to a Caddy build.
//
// The modules, a file each: app (the option opensandbox), auth, lifecycle and ingress
// (the handlers), adapter and adapter_logging (the config adapter for the TOML file),
// logencoder, logwriter, admin, and runtime with runtime_docker (the backends). The
// listener network is the sub-package listener.
//
// The rest is the composition root. settings is what one configuration says, compiled and
// checked; state is what outlives configurations, opened once and counted; parts are
// state's opened parts, with renewal among them; edge joins the settings in force with
// the parts to the handlers that requests reach. hold is a program's own share of the
// state. slog, masking, metrics and oversight serve all of them: where log lines go,
// what they must not show, what is measured, and what is warned about.
package caddymodule
