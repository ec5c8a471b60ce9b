package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/execd"
	"github.com/opensandbox-edge/edge/execd/bootstrap"
	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/secret"
)

// settings are the daemon's flags and variables (contract 06 §1).
type settings struct {
	host   string // IPv4
	port   int
	level  int
	token  string
	hash   string
	grace  time.Duration
	output string
}

// parse reads variables first, so that flags override them.
func parse(args []string, getenv func(string) string) (settings, error) {
	s := settings{host: "0.0.0.0", port: int(wire.PortExecd), level: 6, grace: time.Second, output: getenv("EXECD_LOG_FILE")}
	if s.output == "" {
		s.output = getenv("OPENSANDBOX_LOG_OUTPUT")
	}
	s.hash = getenv(wire.EnvExecdTokenSum)
	var err error
	// The server's word comes after the image's: it names the port in a shared network.
	for _, name := range []string{"EXECD_PORT", wire.EnvExecdPort} {
		if v := getenv(name); v != "" {
			if s.port, err = strconv.Atoi(v); err != nil {
				return s, fmt.Errorf("%s %q is not a number", name, v)
			}
		}
	}
	if v := getenv(wire.EnvExecdHost); v != "" {
		if addr, err := netip.ParseAddr(v); err != nil || !addr.Is4() {
			return s, fmt.Errorf("%s %q is not an IPv4 address", wire.EnvExecdHost, v)
		}
		s.host = v
	}
	if v := getenv("EXECD_API_GRACE_SHUTDOWN"); v != "" {
		if s.grace, err = time.ParseDuration(v); err != nil {
			return s, fmt.Errorf("EXECD_API_GRACE_SHUTDOWN %q is not a duration", v)
		}
	}
	flags := flag.NewFlagSet("execd", flag.ContinueOnError)
	flags.IntVar(&s.port, "port", s.port, "TCP port to listen on")
	flags.IntVar(&s.level, "log-level", s.level, "0-2 nothing but fatal, 3 error, 4 warn, 5-6 info, 7 debug")
	flags.StringVar(&s.token, "access-token", "", "token every request must carry (default $EXECD_ACCESS_TOKEN)")
	flags.DurationVar(&s.grace, "graceful-shutdown-timeout", s.grace, "bound on ending streams and commands at shutdown")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if s.token == "" { // not the flag's default: usage prints defaults
		s.token = getenv(wire.EnvExecdToken)
	}
	if s.port < 1 || s.port > 65535 {
		return s, fmt.Errorf("port %d is not within 1 and 65535", s.port)
	}
	return s, nil
}

// access prefers the hash: it is what the control plane sets, the clear token
// may come from whoever created the sandbox.
func (s settings) access() (execd.Access, error) {
	if s.hash != "" {
		return execd.AccessByHash(s.hash)
	}
	return execd.AccessByToken(secret.New(s.token)), nil
}

// serve is the daemon's main. Exit codes: 0 after TERM or INT, 1 for a failure, 2 for usage.
func serve(args, list []string) int {
	vars := map[string]string{}
	for _, entry := range list {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
	}
	s, err := parse(args, func(name string) string { return vars[name] })
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "execd:", err)
		return 2
	}
	access, err := s.access()
	if err != nil {
		fmt.Fprintln(os.Stderr, "execd:", err)
		return 1
	}
	out, err := openLog(s.output)
	if err != nil {
		fmt.Fprintln(os.Stderr, "execd:", err)
		return 1
	}
	defer out.Close()
	log := newLogger(out, s.level)
	if s.token != "" {
		bootstrap.Conceal()
	}

	process := environ.FromList(list)
	report := process[bootstrap.ReadyVar]
	delete(process, bootstrap.ReadyVar)
	server := execd.New(execd.Options{
		Access: access, Process: process, EnvFile: process["EXECD_ENVS"], Grace: s.grace, Log: log,
	})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	listener, err := net.Listen("tcp4", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil {
		log.Error("cannot listen", "error", err)
		return 1
	}
	log.Info("listening", "address", listener.Addr().String(), "token_required", access.Required(), "build", build())
	ready(report)
	return until(server, listener, signals, log)
}

// until serves until a signal, then shuts down.
func until(server *execd.Server, l net.Listener, signals <-chan os.Signal, log *slog.Logger) int {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		log.Error("serving ended", "error", err)
		server.Shutdown()
		return 1
	case s := <-signals:
		log.Info("shutting down", "signal", s.String())
		server.Shutdown()
		<-failed
		return 0
	}
}

// ready tells the init, which passed a descriptor for it, that the port is open.
func ready(descriptor string) {
	fd, err := strconv.Atoi(descriptor)
	if err != nil || fd < 3 {
		return
	}
	f := os.NewFile(uintptr(fd), "ready")
	_, _ = f.Write([]byte{1})
	_ = f.Close()
}
