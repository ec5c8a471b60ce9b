package bootstrap

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper starts processes and is the only one that waits, for them and for every
// orphan the kernel hands to us.
type reaper struct {
	mu       sync.Mutex // held over wait and look-up, and over fork and registration: a pid always means one process
	children map[int]*child
}

// child is a process we started.
type child struct {
	pid    int
	ended  chan struct{} // closed once status is known
	status syscall.WaitStatus
}

func newReaper() *reaper { return &reaper{children: map[int]*child{}} }

// run reaps until done is closed.
func (r *reaper) run(done <-chan struct{}) {
	wake := make(chan os.Signal, 1) // one pending wake-up is enough: each collects all
	signal.Notify(wake, unix.SIGCHLD)
	defer signal.Stop(wake)
	for {
		r.collect()
		select {
		case <-wake:
		case <-done:
			return
		}
	}
}

func (r *reaper) collect() {
	for {
		r.mu.Lock()
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if c := r.children[pid]; pid > 0 && c != nil {
			delete(r.children, pid)
			c.status = status
			close(c.ended)
		}
		r.mu.Unlock()
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if pid <= 0 {
			return
		}
	}
}

// start runs a program. argv[0] is what the program sees as its name.
func (r *reaper) start(path string, argv []string, attr *syscall.ProcAttr) (*child, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, err
	}
	c := &child{pid: pid, ended: make(chan struct{})}
	r.children[pid] = c
	return c, nil
}

// signal reaches the process and its group. A process that was reaped is not
// signalled: its number may be someone else's.
func (r *reaper) signal(c *child, s syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.children[c.pid] != c {
		return
	}
	if group, err := syscall.Getpgid(c.pid); err == nil && group != c.pid {
		_ = syscall.Kill(c.pid, s) // it has moved to another group
	}
	_ = syscall.Kill(-c.pid, s)
}

// code is the exit status a shell would report.
func code(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
