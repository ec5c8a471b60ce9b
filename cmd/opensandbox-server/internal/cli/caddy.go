package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// caddyCommand only makes the command appear in the help; Execute hands its
// arguments to Caddy before they are parsed here.
func (a *App) caddyCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "caddy COMMAND …",
		Short:              "Run one of Caddy's own commands (run, validate, adapt, reload, fmt, list-modules …)",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := a.caddy(args); code != exitOK {
				return &failure{code: code}
			}
			return nil
		},
	}
}

func (a *App) caddy(args []string) int {
	if len(args) > 0 && args[0] == "start" {
		// It would execute this program's own "run", which is not Caddy's.
		fmt.Fprintln(a.Stderr, "error: caddy start is not available here; use `opensandbox-server caddy run` under a service manager")
		return exitUsage
	}
	return a.Caddy(args)
}
