package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opensandbox-edge/edge/config"
)

func (a *App) initConfigCommand() *cobra.Command {
	var example string
	var force, generate bool
	names := make([]string, 0, 4)
	for _, t := range config.Templates() {
		names = append(names, string(t))
	}
	cmd := &cobra.Command{
		Use:   "init-config [PATH]",
		Short: "Write a configuration file",
		Long: "Write a configuration file to PATH (default " + config.DefaultPath + "), readable by you alone. With --example it is\n" +
			"complete and explained line by line; without, it is the bare schema to fill in.",
		Args: cobra.MaximumNArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if example != "" && !slices.Contains(names, example) {
				return fmt.Errorf("argument --example: invalid choice: %q (choose from %s)", example, strings.Join(names, ", "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			init := config.Init{Template: config.Template(example), Replace: force}
			if len(args) == 1 {
				init.Path = args[0]
			}
			if generate {
				init.Key = config.GenerateKey()
			}
			return a.initConfig(init)
		},
	}
	cmd.Flags().StringVar(&example, "example", "", "write a complete example: "+strings.Join(names, ", "))
	cmd.Flags().BoolVar(&force, "force", false, "overwrite an existing file")
	cmd.Flags().BoolVar(&generate, "generate-key", false, "put a random server.api_key into the file")
	return cmd
}

func (a *App) initConfig(init config.Init) error {
	written, err := init.Write()
	if err != nil {
		fmt.Fprintf(a.Stdout, "Failed to write config template: %v\n", err)
		return &failure{code: exitConfig}
	}
	if init.Template == "" {
		fmt.Fprintf(a.Stdout, "Wrote full config skeleton to %s\n", written.Path)
	} else {
		fmt.Fprintf(a.Stdout, "Wrote example config (%s) to %s\n", init.Template, written.Path)
	}
	switch {
	case written.Kept:
		fmt.Fprintf(a.Stdout, "Kept the BatchSandbox template at %s\n", written.Beside)
	case written.Beside != "":
		fmt.Fprintf(a.Stdout, "Wrote BatchSandbox template to %s\n", written.Beside)
	}
	if !init.Key.IsZero() {
		fmt.Fprintln(a.Stdout, "The file holds a new random server.api_key.")
	}
	fmt.Fprintln(a.Stdout)
	return nil
}
