package feed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// errBeat is the cause when it is time for a sign of life.
var errBeat = errors.New("beat")

// stream is one follower's.
type stream struct {
	server  *Server
	control *http.ResponseController
	lines   *bufio.Writer
}

// run writes until it fails; the error says why it ended.
func (s *stream) run(ctx context.Context, f *lifecycle.Follower) error {
	for {
		if s.server.o.Stopping() {
			return lifecycle.ErrClosed
		}
		bounded, cancel := context.WithTimeoutCause(ctx, beatEvery, errBeat)
		ids, resync, err := f.Next(bounded)
		cancel()
		switch {
		case errors.Is(err, errBeat):
			_, up := s.server.o.Service.Directory().EventAge()
			err = s.write(line{Kind: kindBeat, Deaf: !up})
		case err != nil:
			return err
		case resync:
			err = s.snapshot()
		default:
			err = s.changes(ids)
		}
		if err == nil {
			err = s.lines.Flush()
		}
		if err == nil {
			err = s.control.Flush()
		}
		if err != nil {
			return err
		}
	}
}

func (s *stream) snapshot() error {
	service := s.server.o.Service
	if err := s.write(line{Kind: kindSnapshot, Version: version, Runtime: service.RuntimeName()}); err != nil {
		return err
	}
	var err error
	service.Directory().Range(func(e *lifecycle.Entry) bool {
		err = s.write(line{Kind: kindEntry, Entry: encode(e)})
		return err == nil
	})
	if err != nil {
		return err
	}
	return s.write(line{Kind: kindSynced})
}

func (s *stream) changes(ids []string) error {
	for _, id := range ids {
		change := line{Kind: kindGone, ID: id}
		if e, ok := s.server.o.Service.Directory().Lookup(id); ok {
			change = line{Kind: kindEntry, Entry: encode(e)}
		}
		if err := s.write(change); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) write(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if _, err := s.lines.Write(text); err != nil {
		return err
	}
	return s.lines.WriteByte('\n')
}

// deadlined bounds every write: a client that does not read must not hold a stream.
type deadlined struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (d *deadlined) Write(p []byte) (int, error) {
	_ = d.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every server can
	return d.w.Write(p)
}
