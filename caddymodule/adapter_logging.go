package caddymodule

import (
	"encoding/json"
	"log/slog"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/logging"
)

// accessLog is the name under which Caddy logs requests.
const accessLog = "http.log.access"

// adaptLogging builds the two logs of contract 07 §10 and the sink for libraries that
// use Go's own logger; all of them mask credentials.
func adaptLogging(l *config.Log, warnings *[]caddyconfig.Warning) *caddy.Logging {
	main, access := stdout(), stdout()
	layout := logging.FormatText
	if l.FileEnabled {
		layout = logging.FormatFile
		main, access = logFileOf(l, l.FilePath, warnings), logFileOf(l, l.AccessPath, warnings)
	}
	if l.Format == string(logging.FormatJSON) {
		layout = logging.FormatJSON
	}
	encoder := caddyconfig.JSONModuleObject(&LogEncoder{Layout: layout}, "format", "opensandbox", warnings)
	base := func(writer json.RawMessage, level string) caddy.BaseLog {
		return caddy.BaseLog{WriterRaw: writer, EncoderRaw: encoder, Level: level}
	}
	out := &caddy.Logging{
		Sink: &caddy.SinkLog{BaseLog: base(main, "INFO")},
		Logs: map[string]*caddy.CustomLog{
			// The admin endpoint is off, which is no reason for its warning.
			caddy.DefaultLoggerName: {BaseLog: base(main, caddyLevel(l)), Exclude: []string{accessLog, "admin"}},
		},
	}
	if l.Access {
		// Access lines are written whatever the level (contract 07 §10).
		out.Logs["access"] = &caddy.CustomLog{BaseLog: base(access, "INFO"), Include: []string{accessLog}}
	}
	return out
}

func stdout() json.RawMessage { return json.RawMessage(`{"output":"stdout"}`) }

func logFileOf(l *config.Log, path string, warnings *[]caddyconfig.Warning) json.RawMessage {
	backups := l.BackupCount
	return caddyconfig.JSONModuleObject(&LogWriter{Path: path, MaxBytes: l.MaxBytes, Backups: &backups},
		"output", "opensandbox_file", warnings)
}

func caddyLevel(l *config.Log) string {
	switch l.Slog() {
	case slog.LevelDebug:
		return "DEBUG"
	case slog.LevelWarn:
		return "WARN"
	case slog.LevelError:
		return "ERROR"
	default:
		return "INFO"
	}
}
