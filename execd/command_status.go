package execd

import (
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/opensandbox-edge/edge/execd/problem"
)

// interruptCommand is DELETE /command?id= (contract 06 §6.2).
func (s *Server) interruptCommand(w http.ResponseWriter, r *http.Request, _ []string) error {
	id := r.URL.Query().Get("id")
	if id == "" {
		return problem.Missing("id")
	}
	c, err := s.commands.Lookup(id)
	if err != nil {
		return err
	}
	if err := c.Interrupt(); err != nil {
		return err
	}
	return empty(w)
}

// statusResponse is the body of GET /command/status/{id} (contract 06 §6.3).
type statusResponse struct {
	ID         string     `json:"id"`
	Content    string     `json:"content"`
	Running    bool       `json:"running"`
	ExitCode   *int       `json:"exit_code,omitempty"`
	Error      string     `json:"error,omitempty"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	TimedOut   bool       `json:"timed_out,omitempty"` // ours
	Signal     string     `json:"signal,omitempty"`    // ours
}

func (s *Server) commandStatus(w http.ResponseWriter, _ *http.Request, params []string) error {
	c, err := s.commands.Lookup(params[0])
	if err != nil {
		return err
	}
	res := c.Result()
	body := statusResponse{ID: c.ID(), Content: c.Text(), Running: res.FinishedAt.IsZero(), StartedAt: res.StartedAt}
	if !body.Running {
		body.ExitCode, body.Error, body.FinishedAt = &res.ExitCode, res.Text, &res.FinishedAt
		body.TimedOut, body.Signal = res.TimedOut, res.Signal
	}
	return writeJSON(w, body)
}

// cursorHeader is the offset after the last byte of a logs answer.
const cursorHeader = "EXECD-COMMANDS-TAIL-CURSOR"

// commandLogs is GET /command/{id}/logs?cursor=N (contract 06 §6.4), for
// foreground commands too. The cursor is a byte offset; where older output was
// dropped, the answer begins with the oldest that is left.
func (s *Server) commandLogs(w http.ResponseWriter, r *http.Request, params []string) error {
	c, err := s.commands.Lookup(params[0])
	if err != nil {
		return err
	}
	// Absent and not a number mean 0, by contract; SDKs send back what they were given.
	cursor, err := strconv.ParseInt(r.URL.Query().Get("cursor"), 10, 64)
	if err != nil {
		cursor = 0
	}
	if cursor < 0 {
		return problem.Invalid("cursor must not be negative")
	}
	running := c.Running()
	end := max(cursor, c.OutputEnd())
	if running {
		// More will come: do not cut a UTF-8 sequence that is still being written.
		tail := make([]byte, min(utf8.UTFMax-1, end-cursor))
		n, at := c.ReadOutput(tail, end-int64(len(tail)))
		if at+int64(n) == end {
			end -= int64(incomplete(tail[:n]))
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set(cursorHeader, strconv.FormatInt(end, 10))
	w.WriteHeader(http.StatusOK)
	buf := make([]byte, min(end-cursor, 256<<10))
	for cursor < end {
		n, at := c.ReadOutput(buf[:min(int64(len(buf)), end-cursor)], cursor)
		if n == 0 || at >= end { // dropped while we were sending
			return nil
		}
		n = int(min(int64(n), end-at))
		if _, err := w.Write(buf[:n]); err != nil {
			return nil
		}
		cursor = at + int64(n)
	}
	return nil
}

// incomplete is the number of bytes at the end of b that begin a UTF-8 sequence
// without finishing it.
func incomplete(b []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		tail := b[len(b)-back:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return back
			}
			return 0
		}
	}
	return 0
}
