package redistest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/opensandbox-edge/edge/internal/porttest"
)

// Password is what every server here asks for.
const Password = "seeded-redis-password-0123456789"

// patience bounds the start and the end of a server.
const patience = time.Minute

// Server is a redis-server on a Unix socket and on a port of 127.0.0.1, with nothing on
// disk but the socket.
type Server struct {
	t      testing.TB
	dir    string
	port   uint16
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: dir, port: porttest.Reserve(t).Port()}
	t.Cleanup(func() {
		s.Stop()
		_ = os.RemoveAll(dir)
	})
	s.Start()
	return s
}

// Start runs the server again after Stop. What it held is gone.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(find(s.t),
		"--port", fmt.Sprint(s.port), "--bind", "127.0.0.1", "--unixsocket", s.socket(), "--unixsocketperm", "700",
		"--dir", s.dir, "--save", "", "--appendonly", "no", "--daemonize", "no", "--requirepass", Password)
	s.cmd.Args[0] = "redis-server" // redis-check-rdb is the same program
	s.output.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { defer close(ended); _ = cmd.Wait() }(s.cmd, s.ended)
	deadline := time.Now().Add(patience)
	for !s.answers() {
		select {
		case <-s.ended:
			s.t.Fatalf("redis-server ended at once: %s", s.output.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatal("redis-server does not answer")
		}
	}
}

// Stop kills the server, if it runs.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// URL is the server's address by TCP, with the password.
func (s *Server) URL() string { return fmt.Sprintf("redis://:%s@127.0.0.1:%d/0", Password, s.port) }

// SocketURL is the server's address by its socket, with the password.
func (s *Server) SocketURL() string { return fmt.Sprintf("unix://:%s@%s?db=0", Password, s.socket()) }

func (s *Server) socket() string { return filepath.Join(s.dir, "s") }

// answers tells whether the server says anything, if only that a password is needed.
func (s *Server) answers() bool {
	c, err := net.DialTimeout("unix", s.socket(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	n, err := c.Read(make([]byte, 64))
	return err == nil && n > 0
}

func find(t testing.TB) string {
	for _, name := range []string{"redis-server", "redis-check-rdb"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("redis-server is needed: `make machine` installs it, or apt-get install redis-tools")
	return ""
}
