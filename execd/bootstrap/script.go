package bootstrap

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// source runs the pre-script, if there is one, by becoming a shell that sources
// it and comes back as this program: only so do its exports, its umask and its
// working directory reach the daemon and the user's process. It returns only when
// there is nothing to source; what keeps a script from running is a warning.
func (c Config) source() {
	script := c.Vars[preScriptVar]
	if script == "" || c.Sourced {
		return
	}
	if !strings.Contains(script, "/") {
		script = "./" + script // "." would search PATH for a bare name
	}
	info, err := os.Stat(script)
	if err != nil || !info.Mode().IsRegular() || unix.Access(script, unix.R_OK) != nil { // a shell that fails to source is a shell that ends
		c.Log.Warn("the pre-script is no readable file and is left out", "script", script)
		return
	}
	shell := c.Vars.Program("sh", "bash")
	if shell == "" || c.Self == "" {
		c.Log.Warn("the pre-script is left out: the image has no shell to source it", "script", script)
		return
	}
	argv := append([]string{shell, "-c", `. "$` + preScriptVar + `"; exec "$0" ` + AfterPreScript + ` "$@"`, c.Self}, c.Args...)
	env := append(c.Vars.With(map[string]string{preScriptVar: script}).List(), c.Secrets...)
	err = syscall.Exec(shell, argv, env)
	c.Log.Warn("the pre-script is left out", "script", script, "error", err)
}
