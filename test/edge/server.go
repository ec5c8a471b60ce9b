package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Options say how to run a server.
type Options struct {
	Binary    string // path of opensandbox-server
	Dir       string // holds configuration, store and log; removed by nobody but the caller
	DemoImage string
	ExecdImg  string
	Extra     string // TOML appended to the generated configuration
	// Ingress is the [ingress] part of the configuration; %[1]s is the server's
	// host:port, %[2]d its port. Empty means AllForms.
	Ingress string
	Env     []string
	// EngineSocket is the engine's Unix socket, when it is not the default one.
	EngineSocket string
	// Engine is the address of the engine, for the server and for what looks after it, when
	// it is not the default one.
	Engine string
}

// Server is one running opensandbox-server with a configuration of its own: its
// own port, key, store, and instance label, so that servers side by side leave
// each other's sandboxes alone.
type Server struct {
	Options
	Addr     string // 127.0.0.1:port
	Key      string
	Instance string

	mu  sync.Mutex
	cmd *exec.Cmd
	out bytes.Buffer
	end chan struct{}
}

// AllForms turns every gateway route form on; wildcard is what endpoint answers name.
const AllForms = `[ingress]
mode = "gateway"
public_port = %[2]d

[ingress.gateway]
address = "*.` + WildcardBase + `"
also = [
  { mode = "uri", address = "%[1]s" },
  { mode = "header", address = "%[1]s" },
]

[ingress.gateway.route]
mode = "wildcard"
`

// WildcardBase is the domain of wildcard routes; it needs no DNS because clients here dial explicitly.
const WildcardBase = "sandbox.localhost"

// New writes the configuration. It starts nothing.
func New(o Options) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if o.Ingress == "" {
		o.Ingress = AllForms
	}
	s := &Server{Options: o, Addr: fmt.Sprintf("127.0.0.1:%d", port), Key: random(24), Instance: "test-" + random(6)}
	toml := fmt.Sprintf(`[server]
host = "127.0.0.1"
port = %d
api_key = "%s"

[runtime]
type = "docker"
execd_image = "%s"

[docker]
network_mode = "bridge"
reach = "address"
adopt = "own"
instance = "%s"

[store]
path = "%s"

[renew_intent]
enabled = true
min_interval_seconds = 1

%s
%s
`, port, s.Key, o.ExecdImg, s.Instance, filepath.Join(o.Dir, "store", "opensandbox.db"),
		fmt.Sprintf(o.Ingress, s.Addr, port), o.Extra)
	return s, os.WriteFile(s.ConfigPath(), []byte(toml), 0o600)
}

// ConfigPath is the TOML file the server reads.
func (s *Server) ConfigPath() string { return filepath.Join(s.Dir, "sandbox.toml") }

// Start runs the binary and returns once /health answers.
func (s *Server) Start(ctx context.Context) error {
	cmd := exec.Command(s.Binary, "--config", s.ConfigPath())
	cmd.Env = append(os.Environ(), "HOME="+s.Dir)
	cmd.Env = append(cmd.Env, s.Env...)
	if s.Engine != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+s.Engine)
	}
	if s.EngineSocket != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST=unix://"+s.EngineSocket)
	}
	cmd.Stdout, cmd.Stderr = (*lockedWriter)(s), (*lockedWriter)(s)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.Binary, err)
	}
	end := make(chan struct{})
	go func() { _ = cmd.Wait(); close(end) }()
	s.mu.Lock()
	s.cmd, s.end = cmd, end
	s.mu.Unlock()

	err := Until(ctx, func() error {
		select {
		case <-end:
			return Final(fmt.Errorf("the server ended: %s", s.Log()))
		default:
		}
		res, err := http.Get("http://" + s.Addr + "/health")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("/health answered %s", res.Status)
		}
		return nil
	})
	if err != nil {
		s.Kill()
	}
	return err
}

// Stop asks the server to end and waits for it.
func (s *Server) Stop() error { return s.signal(syscall.SIGTERM) }

// Kill ends the server without giving it a chance to clean up.
func (s *Server) Kill() { _ = s.signal(syscall.SIGKILL) }

// Signal sends a signal and does not wait.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// Ended is closed when the process is gone.
func (s *Server) Ended() <-chan struct{} { return s.end }

// ExitCode is the code of the ended process, -1 while it runs.
func (s *Server) ExitCode() int { return s.cmd.ProcessState.ExitCode() }

// PID is the process id of the running server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

func (s *Server) signal(sig os.Signal) error {
	s.mu.Lock()
	cmd, end := s.cmd, s.end
	s.mu.Unlock()
	if cmd == nil {
		return nil
	}
	_ = cmd.Process.Signal(sig)
	select {
	case <-end:
		return nil
	case <-time.After(40 * time.Second):
		_ = cmd.Process.Kill()
		<-end
		return errors.New("the server did not stop in 40 s")
	}
}

// Log is what the server wrote so far.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

type lockedWriter Server

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

// ForgetStore takes away what a stopped server remembers of its sandboxes, but not its secret.
func (s *Server) ForgetStore() error {
	left, err := filepath.Glob(filepath.Join(s.Dir, "store", "opensandbox.db*"))
	if err != nil {
		return err
	}
	for _, file := range left {
		if filepath.Ext(file) == ".secret" {
			continue
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
