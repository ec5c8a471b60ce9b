package ossfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// maxOutput is how much of what a program printed is kept, in bytes.
const maxOutput = 4 << 10

// run carries out one command with nothing of the server's environment but the search
// path. It returns what the command printed on its error output.
func run(ctx context.Context, bound time.Duration, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	// A file and no pipe: what stays behind as a daemon keeps it open.
	output, err := os.CreateTemp("", "opensandbox-ossfs-*.log")
	if err != nil {
		return "", err
	}
	defer output.Close()
	if err := os.Remove(output.Name()); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C"}
	c.Dir = "/"
	c.Stdout, c.Stderr = output, output
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	err = c.Run()
	if ctx.Err() != nil && err != nil {
		err = errors.Join(fmt.Errorf("%s did not end in %s", argv[0], bound), context.Cause(ctx), err)
	}
	printed, _ := io.ReadAll(io.NewSectionReader(output, 0, maxOutput))
	return strings.ToValidUTF8(strings.TrimSpace(string(printed)), "?"), err
}

// withFile writes a file that only this user can read, and removes it when use returns.
func withFile(content string, use func(name string) error) error {
	file, err := os.CreateTemp("", "opensandbox-ossfs-*.conf") // 0600, made anew
	if err != nil {
		return err
	}
	name := file.Name()
	_, err = file.WriteString(content)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = use(name)
	}
	return errors.Join(err, os.Remove(name))
}
