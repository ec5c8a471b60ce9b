package execd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/execd/command"
	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/execd/metrics"
	"github.com/opensandbox-edge/edge/execd/proxy"
)

// Options configures a Server. Zero fields take the default named beside them.
type Options struct {
	Access  Access        // who may call; the zero value lets everyone
	Process environ.Vars  // what commands and paths see; without the daemon's credentials
	EnvFile string        // EXECD_ENVS, re-read for every command; "" = none
	Grace   time.Duration // bound on ending streams and commands at shutdown; 1 s
	Log     *slog.Logger  // slog.Default()

	PingInterval  time.Duration // keepalive events of a followed command; 3 s (contract 06 §4.4)
	WatchInterval time.Duration // /metrics/watch; 1 s
	MaxJSON       int64         // bytes of a JSON request body; 1 MiB. Replacements have maxReplace, uploads no bound
}

// Server is the daemon. Make it with New, run it with Serve, end it with Shutdown.
type Server struct {
	options  Options
	log      *slog.Logger
	commands *command.Registry
	sampler  *metrics.Sampler
	proxy    *proxy.Handler
	routes   []route
	http     *http.Server
	stop     context.CancelFunc // ends every request context
	stopping chan struct{}      // closed when Shutdown begins
	down     atomic.Bool
}

// New assembles a Server; it starts nothing.
func New(o Options) *Server {
	if o.Grace <= 0 {
		o.Grace = time.Second
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.PingInterval <= 0 {
		o.PingInterval = 3 * time.Second
	}
	if o.WatchInterval <= 0 {
		o.WatchInterval = time.Second
	}
	if o.MaxJSON <= 0 {
		o.MaxJSON = 1 << 20
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		options:  o,
		log:      o.Log,
		commands: command.NewRegistry(command.Options{Process: o.Process, EnvFile: o.EnvFile, TempDir: o.Process["TMPDIR"], Log: o.Log}),
		sampler:  metrics.NewSampler(metrics.System()),
		stop:     stop,
		stopping: make(chan struct{}),
	}
	s.proxy = proxy.New(proxy.Options{Log: o.Log, Self: http.HandlerFunc(s.route)})
	s.routes = s.table()
	s.http = &http.Server{
		Handler:           s.chain(),
		ReadHeaderTimeout: 10 * time.Second,
		// Longer than any front keeps an idle connection: the daemon must not be
		// the one that closes under a request on its way.
		IdleTimeout:    10 * time.Minute,
		MaxHeaderBytes: 256 << 10,
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ErrorLog:       slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve accepts connections on l until Shutdown, which makes it return nil.
func (s *Server) Serve(l net.Listener) error {
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		s.proxy.Own(addr.Port)
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops accepting, ends commands (TERM, then KILL after the grace
// period), lets their streams carry the terminal event, ends all other streams
// and proxied connections, and returns when no command and no connection is left.
func (s *Server) Shutdown() {
	if s.down.Swap(true) {
		return
	}
	close(s.stopping)
	grace, cancel := context.WithTimeout(context.Background(), s.options.Grace)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		ctx, cancel := context.WithTimeout(context.Background(), 2*s.options.Grace)
		defer cancel()
		_ = s.http.Shutdown(ctx)
	}()
	s.commands.Shutdown(grace)
	s.stop()
	<-drained
	_ = s.http.Close()
	s.proxy.Close()
}
