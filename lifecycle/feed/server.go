package feed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// maxFollowers bounds the streams of one server.
const maxFollowers = 64

// Service is what the feed needs of *lifecycle.Service.
type Service interface {
	Directory() *lifecycle.Directory
	Confirm(ctx context.Context, e *lifecycle.Entry) error
	NotFound(id string) *apierror.Error
	RuntimeName() string
}

// ServerOptions configure a Server. Service is required.
type ServerOptions struct {
	Service Service
	Logger  *slog.Logger // nil = none
	// Stopping is asked at every beat: the stream of a server that stops ends, instead of
	// keeping it from stopping. nil = never.
	Stopping func() bool
}

// Server is the half that streams. It outlives configurations, and is closed before the
// service: gateways then keep what they know instead of hearing that all is gone.
type Server struct {
	o         ServerOptions
	followers atomic.Int64

	closed context.Context
	close  context.CancelFunc
	mu     sync.Mutex // orders a new stream before or after Close
	wg     sync.WaitGroup
}

// NewServer makes a Server.
func NewServer(o ServerOptions) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Stopping == nil {
		o.Stopping = func() bool { return false }
	}
	s := &Server{o: o}
	s.closed, s.close = context.WithCancel(context.Background())
	return s
}

// Close ends the streams and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	s.wg.Wait()
}

// Followers is the number of streams.
func (s *Server) Followers() int { return int(s.followers.Load()) }

// Handles tells whether an API request is for the feed. Requests for sandboxes never are,
// whatever their path says.
func Handles(r *http.Request) bool {
	d, ok := auth.FromContext(r.Context())
	if !ok || d.Route.Class != route.API {
		return false
	}
	rest, found := strings.CutPrefix(route.FromHTTP(r).Path, Path)
	return found && (rest == "" || rest[0] == '/')
}

var (
	errTooMany = apierror.New(http.StatusServiceUnavailable, "GENERAL::SERVER_OVERLOADED",
		"Too many gateways follow this server already.").Retry(10)
	errMethod = apierror.New(http.StatusMethodNotAllowed, "GENERAL::METHOD_NOT_ALLOWED", "The directory is read-only: use GET.")
	errClosed = apierror.New(http.StatusServiceUnavailable, "GENERAL::NOT_READY", "The server is stopping.").Retry(1)
)

// ServeHTTP serves what Handles says is the feed's, to holders of an API key alone.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, decided := auth.FromContext(r.Context())
	if !decided || d.Route.Class != route.API || !d.Allowed {
		apierror.Write(w, auth.Undecided)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		apierror.Write(w, errMethod)
		return
	}
	id, one := strings.CutPrefix(route.FromHTTP(r).Path, Path+"/")
	var err error
	if one {
		err = s.answer(w, r, id)
	} else {
		err = s.follow(w, r)
	}
	if err != nil {
		apierror.Write(w, err)
	}
}

// answer is the entry of one sandbox, confirmed.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, id string) error {
	service := s.o.Service
	for range 2 {
		e, ok := service.Directory().Lookup(id)
		if !ok {
			break
		}
		if e.State == lifecycle.Running {
			switch err := service.Confirm(r.Context(), e); {
			case errors.Is(err, lifecycle.ErrStale):
				continue
			case err != nil:
				return err
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(encode(e)) // it fails when the gateway has left
		return nil
	}
	return service.NotFound(id)
}

// follow streams until the client leaves, reads too slowly, or the server ends.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) error {
	if s.followers.Add(1) > maxFollowers {
		s.followers.Add(-1)
		return errTooMany
	}
	defer s.followers.Add(-1)
	s.mu.Lock()
	if s.closed.Err() != nil {
		s.mu.Unlock()
		return errClosed
	}
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()
	f := s.o.Service.Directory().Follow()
	defer f.Close()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	out := &stream{server: s, control: http.NewResponseController(w)}
	out.lines = bufio.NewWriterSize(&deadlined{w, out.control}, 32<<10)
	s.o.Logger.InfoContext(ctx, "a gateway follows the directory", "peer", r.RemoteAddr)
	err := out.run(ctx, f)
	s.o.Logger.InfoContext(ctx, "a gateway stopped following the directory", "peer", r.RemoteAddr, "cause", err)
	return nil
}
