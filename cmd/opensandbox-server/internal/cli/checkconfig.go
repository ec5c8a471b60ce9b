package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/config/audit"
)

func (a *App) checkConfigCommand(flags *rootFlags) *cobra.Command {
	var security bool
	cmd := &cobra.Command{
		Use:   "check-config [PATH]",
		Short: "Check a configuration file and show what is in force",
		Long: "Check a configuration file, print every value in force with where it comes from (credentials masked),\n" +
			"and warn about what looks wrong. Nothing is started or contacted. Exit code 0 = it loads, 1 = it does not.\n\n" +
			"With --security print one line per weakness instead; exit code 1 = at least one is an error.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.checkConfig(pathOf(args, flags), security)
		},
	}
	cmd.Flags().BoolVar(&security, "security", false, "list the weaknesses of the configuration")
	return cmd
}

// pathOf is the file to check: the operand, else what the server would read.
func pathOf(args []string, flags *rootFlags) string {
	if len(args) == 1 {
		return args[0]
	}
	return flags.config
}

func (a *App) checkConfig(path string, security bool) error {
	loaded, err := config.Load(config.Options{Path: path, Lookup: a.Lookup})
	if err != nil {
		return &failure{exitConfig, err}
	}
	if security {
		return a.checkSecurity(loaded)
	}
	if err := loaded.WriteEffective(a.Stdout); err != nil {
		return &failure{exitConfig, err}
	}
	for _, w := range loaded.Report.Warnings {
		fmt.Fprintln(a.Stderr, "WARNING: "+w.String())
	}
	for _, key := range loaded.Report.Inert {
		fmt.Fprintln(a.Stderr, "NOTICE: "+key+": is accepted and has no effect in this server")
	}
	fmt.Fprintf(a.Stderr, "%s: OK, %d warning(s)\n", loaded.Path, len(loaded.Report.Warnings))
	return nil
}

func (a *App) checkSecurity(loaded *config.Loaded) error {
	errors := 0
	for _, f := range audit.Run(loaded) {
		fmt.Fprintln(a.Stdout, f)
		if f.Severity == audit.SeverityError {
			errors++
		}
	}
	if errors > 0 {
		return &failure{code: exitConfig}
	}
	return nil
}
