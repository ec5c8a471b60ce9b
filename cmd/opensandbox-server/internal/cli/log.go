package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/opensandbox-edge/edge/config"
)

// startLogger writes the few lines that come before the server's own logging is up.
type startLogger struct {
	out  io.Writer
	json *slog.Logger // nil = text
}

func startupLog(out io.Writer, l *config.Log) *startLogger {
	s := &startLogger{out: out}
	if l.Format == "json" {
		s.json = slog.New(slog.NewJSONHandler(out, nil))
	}
	return s
}

func (s *startLogger) Warn(message string)  { s.write(slog.LevelWarn, message) }
func (s *startLogger) Error(message string) { s.write(slog.LevelError, message) }

func (s *startLogger) write(level slog.Level, message string) {
	if s.json != nil {
		s.json.Log(context.Background(), level, message)
		return
	}
	name := strings.Replace(level.String(), "WARN", "WARNING", 1)
	fmt.Fprintln(s.out, name+": "+message)
}
