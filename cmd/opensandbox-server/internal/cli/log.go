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

func (s *startLogger) Info(message string, args ...any) { s.write(slog.LevelInfo, message, args) }
func (s *startLogger) Warn(message string, args ...any) { s.write(slog.LevelWarn, message, args) }
func (s *startLogger) Error(message string, args ...any) {
	s.write(slog.LevelError, message, args)
}

func (s *startLogger) write(level slog.Level, message string, args []any) {
	if s.json != nil {
		s.json.Log(context.Background(), level, message, args...)
		return
	}
	for i := 0; i+1 < len(args); i += 2 {
		message += fmt.Sprintf(" %v=%v", args[i], args[i+1])
	}
	name := strings.Replace(level.String(), "WARN", "WARNING", 1)
	fmt.Fprintln(s.out, name+": "+message)
}
