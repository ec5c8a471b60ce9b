package caddymodule

import (
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/opensandbox-edge/edge/logging"
)

func init() { caddy.RegisterModule(new(LogEncoder)) }

// LogEncoder writes log lines that hold no credential: API keys, execd, egress and
// access tokens, signatures of routes, query strings and passwords in URLs are masked,
// and control characters are encoded. Use it for every log of a server that has the
// opensandbox handlers; Caddy's own encoders write the headers in clear.
//
// Caddyfile:
//
//	log {
//		format opensandbox {
//			layout text|file|json
//		}
//	}
type LogEncoder struct {
	// Layout of a line: "text" (default; level coloured on a terminal), "file" (level in
	// a column of eight) or "json".
	Layout logging.Format `json:"layout,omitempty"`

	*logging.Encoder `json:"-"`
}

// CaddyModule returns the Caddy module information.
func (*LogEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.opensandbox",
		New: func() caddy.Module { return new(LogEncoder) },
	}
}

// Provision sets up the encoder.
func (e *LogEncoder) Provision(caddy.Context) error {
	switch e.Layout {
	case "":
		e.Layout = logging.FormatText
	case logging.FormatText, logging.FormatFile, logging.FormatJSON:
	default:
		return fmt.Errorf("unknown layout %q: use text, file or json", e.Layout)
	}
	e.Encoder = logging.NewEncoder(logging.Options{Format: e.Layout, Redactor: redactor})
	return nil
}

// ConfigureDefaultFormat turns the colour on when the writer is a terminal.
func (e *LogEncoder) ConfigureDefaultFormat(w caddy.WriterOpener) error {
	if e.Layout != logging.FormatText || !colorful() {
		return nil
	}
	var stream *os.File
	switch w.(type) {
	case caddy.StdoutWriter, *caddy.StdoutWriter:
		stream = os.Stdout
	case caddy.StderrWriter, *caddy.StderrWriter:
		stream = os.Stderr
	default:
		return nil
	}
	color := term.IsTerminal(int(stream.Fd()))
	e.Encoder = logging.NewEncoder(logging.Options{Format: e.Layout, Redactor: redactor, Color: color})
	return nil
}

// colorful tells whether the user wants colours at all (https://no-color.org).
func colorful() bool { return os.Getenv("NO_COLOR") == "" }

// UnmarshalCaddyfile sets up the encoder from Caddyfile tokens.
func (e *LogEncoder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the encoder's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "layout":
			var layout string
			if !d.Args(&layout) {
				return d.ArgErr()
			}
			e.Layout = logging.Format(layout)
		default:
			return d.Errf("unknown option %q: the encoder has only layout", d.Val())
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner                = (*LogEncoder)(nil)
	_ caddyfile.Unmarshaler            = (*LogEncoder)(nil)
	_ caddy.ConfiguresFormatterDefault = (*LogEncoder)(nil)
	_ zapcore.Encoder                  = (*LogEncoder)(nil)
)
