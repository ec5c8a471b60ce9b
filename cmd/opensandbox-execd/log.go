package main

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/logging/rotate"
)

// limits of a log file (contract 06 §1.2).
var limits = rotate.Limits{MaxBytes: 100 << 20, Backups: 10, MaxAge: 30 * 24 * time.Hour}

// openLog opens EXECD_LOG_FILE or the outputs of OPENSANDBOX_LOG_OUTPUT: a comma
// list of stdout, stderr and paths; nothing means stdout. Files rotate.
func openLog(outputs string) (io.WriteCloser, error) {
	var all sinks
	for name := range strings.SplitSeq(outputs, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
		case "stdout":
			all = append(all, kept{os.Stdout})
		case "stderr":
			all = append(all, kept{os.Stderr})
		default:
			f, err := rotate.Open(name, limits)
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		all = sinks{kept{os.Stdout}}
	}
	return all, nil
}

// sinks writes to each; one that fails does not keep the others from the line.
type sinks []io.WriteCloser

func (s sinks) Write(b []byte) (int, error) {
	for _, w := range s {
		_, _ = w.Write(b)
	}
	return len(b), nil
}

func (s sinks) Close() error {
	for _, w := range s {
		_ = w.Close()
	}
	return nil
}

// kept is a standard stream, which is not ours to close.
type kept struct{ io.Writer }

func (kept) Close() error { return nil }

// newLogger writes JSON lines with the keys of contract 06 §1.2.
func newLogger(w io.Writer, level int) *slog.Logger {
	levels := map[int]slog.Level{3: slog.LevelError, 4: slog.LevelWarn, 5: slog.LevelInfo, 6: slog.LevelInfo}
	threshold, ok := levels[level]
	switch {
	case ok:
	case level <= 2:
		threshold = slog.LevelError + 4
	default:
		threshold = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: threshold,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.String("ts", a.Value.Time().Format(time.RFC3339Nano))
			}
			if len(groups) == 0 && a.Key == slog.LevelKey {
				return slog.String(slog.LevelKey, strings.ToLower(a.Value.String()))
			}
			return a
		},
	}))
}
