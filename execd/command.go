package execd

import (
	"net/http"
	"strconv"
	"time"

	"github.com/opensandbox-edge/edge/execd/command"
	"github.com/opensandbox-edge/edge/execd/problem"
	"github.com/opensandbox-edge/edge/execd/stream"
)

// commandRequest is the body of POST /command (contract 06 §6.1).
type commandRequest struct {
	Command    string            `json:"command"`
	Cwd        string            `json:"cwd"`
	Background bool              `json:"background"`
	Timeout    int64             `json:"timeout"` // milliseconds
	UID        *uint32           `json:"uid"`
	GID        *uint32           `json:"gid"`
	Envs       map[string]string `json:"envs"`
	// CancelOnDisconnect is ours: by default a command survives its client,
	// because proxies drop connections and the status stays readable by id.
	CancelOnDisconnect bool `json:"cancel_on_disconnect"`
}

func (q commandRequest) spec() command.Spec {
	s := command.Spec{
		Command: q.Command, Cwd: q.Cwd, TimeoutMS: q.Timeout,
		UID: q.UID, GID: q.GID, Env: q.Envs,
	}
	if q.Background {
		s.Kind = command.Background
	}
	return s
}

func (s *Server) runCommand(w http.ResponseWriter, r *http.Request, _ []string) error {
	var q commandRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	c, err := s.commands.Prepare(q.spec())
	if err != nil {
		return err
	}
	events := stream.NewWriter(w)
	defer events.Close()
	_ = events.Send(stream.Event{Type: stream.Init, Text: c.ID()}) // if it fails the client has left, which the loop below handles
	if q.Background {
		s.background(events, c)
	} else {
		s.foreground(events, r, c, q.CancelOnDisconnect)
	}
	return nil
}

func (s *Server) background(events *stream.Writer, c *command.Command) {
	if err := c.Start(nil); err != nil {
		_ = events.Send(stream.Event{Type: stream.Failure, Error: &stream.Error{
			EName: problem.RuntimeError, EValue: "error running commands: " + err.Error(), Traceback: []string{},
		}})
		return
	}
	_ = events.Send(stream.Event{Type: stream.Complete})
}

// foreground follows the command until it ends or the client is gone.
func (s *Server) foreground(events *stream.Writer, r *http.Request, c *command.Command, cancel bool) {
	_ = events.Send(stream.Event{Type: stream.Ping, Text: "pong"})
	_ = c.Start(func(channel stream.Type, text string) { // a failure to start is in the result
		_ = events.Send(stream.Event{Type: channel, Text: text})
	})
	ping := time.NewTicker(s.options.PingInterval)
	defer ping.Stop()
	for {
		select {
		case <-c.Done():
			_ = events.Send(terminal(c.Result()))
			return
		case <-ping.C:
			if events.Send(stream.Event{Type: stream.Ping, Text: "pong"}) == nil {
				continue
			}
		case <-r.Context().Done():
		}
		if cancel {
			_ = c.Interrupt() // that it ended by itself meanwhile is fine
		}
		return
	}
}

// terminal is the one event that ends the stream of a foreground command.
func terminal(res command.Result) stream.Event {
	if res.Text == "" {
		return stream.Event{Type: stream.Complete, ExecutionTime: res.FinishedAt.Sub(res.StartedAt).Milliseconds()}
	}
	return stream.Event{Type: stream.Failure, Error: &stream.Error{
		EName: "CommandExecError", EValue: evalue(res), Traceback: []string{res.Text},
		TimedOut: res.TimedOut, Signal: res.Signal,
	}}
}

// evalue is what SDKs read the exit code from: a number for whatever ran.
func evalue(res command.Result) string {
	if res.NotStarted {
		return res.Text
	}
	return strconv.Itoa(res.ExitCode)
}
