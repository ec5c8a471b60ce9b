package cli

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/opensandbox-edge/edge/cmd/opensandbox-server/internal/guard"
	"github.com/opensandbox-edge/edge/config"
)

const rootHelp = `opensandbox-server runs sandboxes and carries traffic into them: the lifecycle
API, the routes into every sandbox, and the renewal of those in use, in one process.

It reads one TOML file: --config PATH, else the variable SANDBOX_CONFIG_PATH, else
~/.sandbox.toml. Start with:

  opensandbox-server init-config ~/.sandbox.toml --example docker --generate-key
  opensandbox-server

init-config [PATH] writes a configuration file:
  --example {docker,docker-zh,k8s,k8s-zh}  a complete example instead of the bare schema
  --force                                  overwrite an existing file`

type rootFlags struct {
	config string
	reload bool
	check  bool
}

func (a *App) root() *cobra.Command {
	var flags rootFlags
	root := &cobra.Command{
		Use:   "opensandbox-server",
		Short: "Control plane and front door of OpenSandbox sandboxes",
		Long:  rootHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if flags.check {
				return cobra.MaximumNArgs(1)(cmd, args)
			}
			return noOperands(cmd, args)
		},
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if flags.config == "" {
				return nil
			}
			// Child processes and later reloads see the same file.
			return a.Setenv(config.EnvPath, flags.config)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.check {
				return a.checkConfig(pathOf(args, &flags), false)
			}
			return a.serve(cmd, &flags)
		},
	}
	root.PersistentFlags().StringVar(&flags.config, "config", "", "configuration file (default: $"+config.EnvPath+", else "+config.DefaultPath+")")
	root.Flags().BoolVar(&flags.reload, "reload", false, "watch the configuration file and apply changes gracefully")
	root.Flags().BoolVar(&flags.check, "check", false, "check the configuration and exit: --check [PATH] is check-config [PATH]")
	root.AddCommand(a.initConfigCommand(), a.checkConfigCommand(&flags), a.versionCommand(), a.caddyCommand())
	return root
}

// serve is the start-up sequence of contract 07 §7: nothing is opened before the
// configuration is valid and the guard has passed.
func (a *App) serve(cmd *cobra.Command, flags *rootFlags) error {
	loaded, err := config.Load(config.Options{Path: flags.config, Lookup: a.Lookup})
	if err != nil {
		return &failure{exitConfig, err}
	}
	log := startupLog(a.Stderr, &loaded.Config.Log)
	for _, w := range loaded.Report.Warnings {
		log.Warn(w.String())
	}
	if err := a.guard(cmd, loaded, log.Warn); err != nil {
		log.Error("API key startup confirmation failed: " + err.Error())
		return &failure{code: exitConfig}
	}
	if err := a.Run(cmd.Context(), Start{Loaded: loaded, Watch: flags.reload, Out: a.Stdout}); err != nil {
		return &failure{runCode(err), fmt.Errorf("server: %w", err)}
	}
	return nil
}

func (a *App) guard(cmd *cobra.Command, loaded *config.Loaded, warn func(string)) error {
	// While the question is open an interrupt is an answer; afterwards the server handles signals itself.
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &loaded.Config.Server
	return guard.Guard{
		Keys: server.Keys(), Bind: server.ListenAddress(), Acknowledged: config.InsecureAcknowledged(a.Lookup),
		Stdin: a.Stdin, Prompt: a.Stderr,
		Warn: warn,
	}.Pass(ctx)
}
