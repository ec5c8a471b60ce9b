package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/opensandbox-edge/edge/config"
)

// The exit codes of contract 07 §7.2.
const (
	exitOK      = 0
	exitConfig  = 1 // configuration, guard, port in use, init-config
	exitUsage   = 2
	exitStartup = 3 // any other failure after loading
)

// App is the program and its surroundings.
type App struct {
	Stdin  *os.File
	Stdout io.Writer
	Stderr io.Writer
	Lookup func(name string) (string, bool) // environment
	Setenv func(name, value string) error

	// Run serves until it is told to stop; it gets its own signals.
	Run func(ctx context.Context, start Start) error
	// Caddy runs one of Caddy's own commands and returns its exit code.
	Caddy func(args []string) int
	// Version is what the version command prints, without a line end.
	Version func() string
}

// Start says what to serve.
type Start struct {
	Loaded *config.Loaded
	Watch  bool      // apply the file again when it changes
	Out    io.Writer // where log lines go that no file takes
}

// failure is an error with the exit code it leads to.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Execute runs the command line (without the program's name) and returns the exit code.
func (a *App) Execute(ctx context.Context, args []string) int {
	if len(args) > 0 && args[0] == "caddy" {
		return a.caddy(args[1:]) // its flags are Caddy's, not ours
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var f *failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		if f.err != nil {
			fmt.Fprintln(a.Stderr, "ERROR: "+f.err.Error())
		}
		return f.code
	}
	fmt.Fprint(a.Stderr, cmd.UsageString())
	fmt.Fprintln(a.Stderr, "error: "+err.Error())
	return exitUsage
}

// runCode tells the exit code of a failed run.
func runCode(err error) int {
	if errors.Is(err, syscall.EADDRINUSE) {
		return exitConfig
	}
	return exitStartup
}

// noOperands is cobra.NoArgs with a text that names the way out.
func noOperands(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	}
	return nil
}
