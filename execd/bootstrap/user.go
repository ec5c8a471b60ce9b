package bootstrap

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// userArgv is the user's command line (contract 06 §14.2 step 5): BOOTSTRAP_CMD,
// "-c" and its words, a bare shell, or the arguments as they are.
func (c Config) userArgv() ([]string, error) {
	text, viaShell := c.Vars[commandVar], c.Vars[commandVar] != ""
	if !viaShell && len(c.Args) > 0 && c.Args[0] == "-c" {
		text, viaShell = strings.Join(c.Args[1:], " "), true
	}
	if !viaShell && len(c.Args) > 0 {
		return c.Args, nil
	}
	shell := c.Vars[shellVar]
	if shell == "" {
		shell = c.Vars.Program("bash", "sh")
	}
	switch {
	case shell == "":
		return nil, errors.New("the image has no shell: give the entrypoint as a list of arguments, or set " + shellVar)
	case viaShell:
		return []string{shell, "-c", text}, nil
	default:
		return []string{shell}, nil
	}
}

// startUser starts the user's process in a group of its own. The exit code is
// what a shell would end with when it fails: 127 not found, 126 not executable.
func (c Config) startUser(r *reaper) (*child, int, error) {
	argv, err := c.userArgv()
	if err != nil {
		return nil, 1, err
	}
	path := argv[0]
	if !strings.Contains(path, "/") {
		if path = c.Vars.Program(argv[0]); path == "" {
			return nil, 127, errors.New(argv[0] + ": command not found on PATH")
		}
	}
	attr := &syscall.ProcAttr{
		Env: c.Vars.List(), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true},
	}
	user, err := r.start(path, argv, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without "#!": shells run it themselves, the kernel does not.
		if shell := c.Vars.Program("bash", "sh"); shell != "" {
			user, err = r.start(shell, append([]string{shell, path}, argv[1:]...), attr)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 127, errors.New(argv[0] + ": no such file (or its interpreter is missing)")
	case err != nil:
		return nil, 126, errors.New(argv[0] + ": " + err.Error())
	}
	foreground(r, user)
	return user, 0, nil
}

// foreground hands the terminal, if there is one, to the user's process: as a
// background group it would be stopped at its first read. It may have been
// already, so it is told to go on.
func foreground(r *reaper, user *child) {
	if _, err := unix.IoctlGetInt(int(os.Stdin.Fd()), unix.TIOCGPGRP); err != nil {
		return
	}
	if unix.IoctlSetPointerInt(int(os.Stdin.Fd()), unix.TIOCSPGRP, user.pid) == nil {
		r.signal(user, unix.SIGCONT)
	}
}
