package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program under measurement, with its children.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended <-chan struct{}
	after func() // runs once it has ended; nil = nothing
}

// spawn starts a program and waits until it listens.
func spawn(ctx context.Context, dir, address string, env []string, argv ...string) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), log: filepath.Join(dir, filepath.Base(argv[0])+".log")}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(os.Environ(), env...)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(ended)
	}()
	p.ended = ended
	if err := p.listens(ctx, address); err != nil {
		text, _ := os.ReadFile(p.log)
		p.stop()
		return nil, fmt.Errorf("%s: %w\n%s", argv[0], err, text)
	}
	return p, nil
}

// listens waits until the program accepts connections on address, or has ended.
func (p *process) listens(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
		select {
		case <-every.C:
		case <-p.ended:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("nothing listens on %s", address)
		}
	}
}

func (p *process) pid() int   { return p.cmd.Process.Pid }
func (p *process) rss() int64 { return rssOf(p.pid()) }

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
	if p.after != nil {
		p.after()
	}
}

// pidsOf are a process and its children: nginx serves from those.
func pidsOf(own int) []int {
	pids := []int{own}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", own, own))
	for _, child := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(child); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// clockTick is the unit of the kernel's CPU accounting; Linux has shown 100 per second
// to user space on every architecture since 2.6.
const clockTick = 10 * time.Millisecond

// cpuOf is the user and system time that a program has used.
func cpuOf(own int) time.Duration {
	var ticks int
	for _, pid := range pidsOf(own) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
		fields := strings.Fields(rest)
		if len(fields) < 13 {
			continue
		}
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		ticks += user + system
	}
	return time.Duration(ticks) * clockTick
}

// rssOf is a program's resident memory in bytes.
func rssOf(own int) int64 {
	var pages int64
	for _, pid := range pidsOf(own) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			pages += n
		}
	}
	return pages * int64(os.Getpagesize())
}

// settled is the resident memory of a program once it has given back what only its start
// needed: when it has not become less for a second.
func settled(ctx context.Context, pid int) (int64, error) {
	least, since := rssOf(pid), time.Now()
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for time.Since(since) < time.Second {
		select {
		case <-every.C:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		if now := rssOf(pid); now < least {
			least, since = now, time.Now()
		}
	}
	return least, nil
}
