package logging

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// Format is the form of a line.
type Format string

// The line forms of contract 07 §10.
const (
	FormatText Format = "text" // LEVEL:     time [request id] logger: message
	FormatFile Format = "file" // LEVEL    time [request id] logger: message
	FormatJSON Format = "json" // one object per line
)

// timeLayout is the time of text lines, local, to the second (contract 07 §10).
const timeLayout = "2006-01-02 15:04:05-0700"

var lines = buffer.NewPool()

// Options configure an Encoder.
type Options struct {
	// Format of the lines; empty = FormatText.
	Format Format
	// Color paints the level of text lines; for terminals only.
	Color bool
	// Redactor is shared by all encoders of a process, so that one call of SetSecrets
	// reaches every logger. nil = the rules of names and shapes alone.
	Redactor *Redactor
	// Location of text times; nil = local.
	Location *time.Location
}

// Encoder turns zap entries into lines that hold no credential and no control
// character. It implements zapcore.Encoder.
type Encoder struct {
	fields
	options Options
}

// NewEncoder returns an encoder with an empty context.
func NewEncoder(o Options) *Encoder {
	if o.Format == "" {
		o.Format = FormatText
	}
	if o.Redactor == nil {
		o.Redactor = new(Redactor)
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	return &Encoder{options: o}
}

// Clone implements zapcore.Encoder.
func (e *Encoder) Clone() zapcore.Encoder {
	return &Encoder{fields: e.fields.clone(), options: e.options}
}

// EncodeEntry implements zapcore.Encoder.
func (e *Encoder) EncodeEntry(entry zapcore.Entry, extra []zapcore.Field) (*buffer.Buffer, error) {
	all := e.fields.clone()
	for i := range extra {
		extra[i].AddTo(&all)
	}
	if e.options.Format != FormatJSON {
		all.list = prune(all.list)
	}
	for i := range all.list {
		// The last part of a namespaced key is the name the rules know.
		name := all.list[i].key[strings.LastIndexByte(all.list[i].key, '.')+1:]
		all.list[i].value = e.options.Redactor.sanitize(name, all.list[i].value, 0)
		all.list[i].key = e.text(all.list[i].key)
	}
	if strings.HasPrefix(entry.LoggerName, accessLogger) {
		// An access line is no complaint, whatever the status (contract 07 §10).
		entry.Level = zapcore.InfoLevel
	}
	line := lines.Get()
	if e.options.Format == FormatJSON {
		e.jsonLine(line, entry, all.list)
	} else {
		e.textLine(line, entry, all.list)
	}
	line.AppendByte('\n')
	return line, nil
}

func (e *Encoder) text(s string) string { return bound(e.options.Redactor.Text(s)) }

func (e *Encoder) jsonLine(line *buffer.Buffer, entry zapcore.Entry, list []field) {
	seen := map[string]bool{}
	member := func(key string, v any) {
		if seen[key] { // a repeated key makes parsers disagree; the first one wins
			return
		}
		seen[key] = true
		if line.Len() > 1 {
			line.AppendByte(',')
		}
		writeJSON(line, key)
		line.AppendByte(':')
		writeJSON(line, v)
	}
	line.AppendByte('{')
	member("level", strings.ToLower(levelName(entry.Level)))
	member("ts", entry.Time.Format("2006-01-02T15:04:05.000Z07:00"))
	member("logger", e.text(entry.LoggerName))
	member("msg", e.text(entry.Message))
	if entry.Caller.Defined {
		member("caller", entry.Caller.TrimmedPath())
	}
	for _, f := range list {
		member(f.key, f.value)
	}
	if entry.Stack != "" {
		member("stacktrace", e.text(entry.Stack))
	}
	line.AppendByte('}')
}

// writeJSON encodes v, without anything a terminal would act on: json escapes the
// C0 controls and the separators, the rest is escaped here.
func writeJSON(line *buffer.Buffer, v any) {
	raw, err := json.Marshal(v)
	if err != nil { // NaN or infinity
		raw = []byte(`"unprintable"`)
	}
	if clean(string(raw)) {
		line.AppendString(string(raw))
		return
	}
	for _, c := range string(raw) {
		if harmless(c) {
			line.AppendString(string(c))
			continue
		}
		for _, unit := range utf16.AppendRune(nil, c) {
			line.AppendString(fmt.Sprintf(`\u%04x`, unit))
		}
	}
}

// levelName is the contract's name of a level (contract 07 §8).
func levelName(l zapcore.Level) string {
	switch {
	case l < zapcore.InfoLevel:
		return "DEBUG"
	case l < zapcore.WarnLevel:
		return "INFO"
	case l < zapcore.ErrorLevel:
		return "WARNING"
	case l < zapcore.DPanicLevel:
		return "ERROR"
	default:
		return "CRITICAL"
	}
}
