package cli

import (
	"fmt"
	"strings"

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

// refused are Caddy's commands that cannot work in this program, and what to do instead.
var refused = map[string]string{
	// It would execute this program's own "run", which is not Caddy's.
	"start": "use `opensandbox-server caddy run` under a service manager",
	// These replace the running binary by one from Caddy's build service, which knows
	// neither this program nor its modules.
	"upgrade":        "install a newer opensandbox-server in the way this one was installed",
	"add-package":    "build a server with more modules with xcaddy",
	"remove-package": "build a server with other modules with xcaddy",
}

func (a *App) caddy(args []string) int {
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			continue
		}
		if instead, ok := refused[arg]; ok {
			fmt.Fprintf(a.Stderr, "error: caddy %s is not available here; %s\n", arg, instead)
			return exitUsage
		}
		break
	}
	return a.Caddy(args)
}
