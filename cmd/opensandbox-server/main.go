// Command opensandbox-server is the whole edge in one binary: Caddy with the
// modules of this project, configured by one TOML file.
package main

import (
	"context"
	"os"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/opensandbox-edge/edge/cmd/opensandbox-server/internal/cli"
)

func main() {
	app := &cli.App{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Lookup: os.LookupEnv, Setenv: os.Setenv,
		Run: run, Caddy: caddyCommand, Version: versionText,
	}
	os.Exit(app.Execute(context.Background(), os.Args[1:]))
}

// caddyCommand runs Caddy's command line, which reads os.Args and exits by itself on failure.
func caddyCommand(args []string) int {
	os.Args = append([]string{"caddy"}, args...)
	caddycmd.Main()
	return 0
}
