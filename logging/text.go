package logging

import (
	"fmt"
	"strconv"
	"strings"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// accessLogger is the name under which Caddy writes access lines.
const accessLogger = "http.log.access"

var colors = map[string]string{
	"DEBUG":    "\x1b[36m",
	"INFO":     "\x1b[32m",
	"WARNING":  "\x1b[33m",
	"ERROR":    "\x1b[31m",
	"CRITICAL": "\x1b[91m",
}

// textLine writes the line of contract 07 §10 and appends the remaining fields as
// key=value, so that nothing structured is lost to people who read text.
func (e *Encoder) textLine(line *buffer.Buffer, entry zapcore.Entry, list []field) {
	e.levelColumn(line, levelName(entry.Level))
	line.AppendTime(entry.Time.In(e.options.Location), timeLayout)

	message, requestID := Escape(e.text(entry.Message)), "-"
	var rest []field
	var request map[string]any
	for _, f := range list {
		switch v := f.value.(type) {
		case string:
			if f.key == "request_id" && v != "" {
				requestID = bracketed.Replace(Escape(v))
				continue
			}
		case map[string]any:
			if f.key == "request" {
				request = v
				continue
			}
		}
		rest = append(rest, f)
	}
	logger := entry.LoggerName
	if strings.HasPrefix(logger, accessLogger) {
		logger = "access"
		message, rest = access(request, rest)
		request = nil
	}
	line.AppendString(" [" + requestID + "] ")
	if logger != "" {
		line.AppendString(Escape(e.text(logger)) + ": ")
	}
	line.AppendString(message)
	if request != nil {
		rest = append(rest, field{"method", request["method"]}, field{"host", request["host"]}, field{"uri", request["uri"]})
	}
	for _, f := range rest {
		line.AppendString(" " + Escape(f.key) + "=" + textValue(f.value))
	}
	if entry.Caller.Defined {
		line.AppendString(" caller=" + entry.Caller.TrimmedPath())
	}
	if entry.Stack != "" {
		line.AppendString(" stacktrace=" + textValue(e.text(entry.Stack)))
	}
}

// levelColumn is ten columns wide on a stream ("INFO:     ") and nine in a file ("INFO     ").
func (e *Encoder) levelColumn(line *buffer.Buffer, name string) {
	if e.options.Format == FormatFile {
		line.AppendString(fmt.Sprintf("%-8s ", name))
		return
	}
	pad := strings.Repeat(" ", max(1, 9-len(name)))
	if e.options.Color {
		line.AppendString(colors[name] + name + "\x1b[0m:" + pad)
		return
	}
	line.AppendString(name + ":" + pad)
}

// shown are the members of a request that text lines have room for.
var shown = []string{"client_ip", "remote_ip", "remote_port", "proto", "method", "host", "uri"}

// prune takes out what no text line shows, before the rules look at every header.
func prune(list []field) []field {
	kept := list[:0]
	for _, f := range list {
		if f.key == "resp_headers" {
			continue
		}
		if request, ok := f.value.(map[string]any); ok && f.key == "request" {
			small := make(map[string]any, len(shown))
			for _, name := range shown {
				if v, ok := request[name]; ok {
					small[name] = v
				}
			}
			f.value = small
		}
		kept = append(kept, f)
	}
	return kept
}

// access builds the access message and leaves out the fields it used and Caddy's own
// bookkeeping.
func access(request map[string]any, list []field) (string, []field) {
	status := "0"
	rest := list[:0]
	for _, f := range list {
		switch f.key {
		case "status":
			status = fmt.Sprint(f.value)
		case "user_id", "bytes_read":
		default:
			rest = append(rest, f)
		}
	}
	get := func(key string) string { s, _ := request[key].(string); return quoted.Replace(Escape(s)) }
	client := get("client_ip")
	if client == "" || client == get("remote_ip") {
		client = get("remote_ip") + ":" + get("remote_port")
	}
	return fmt.Sprintf(`%s - "%s %s %s" %s`, client, get("method"), get("uri"), get("proto"), status), rest
}

// bracketed and quoted keep what a client wrote from ending the brackets or quotes that
// stand around it, and with them from posing as the rest of a line.
var (
	bracketed = strings.NewReplacer("[", "_", "]", "_", `"`, "_", "'", "_")
	quoted    = strings.NewReplacer(`"`, `\"`)
)

// textValue quotes what would be ambiguous in key=value form.
func textValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if v == "" || !clean(v) || strings.ContainsAny(v, " \"=\\") {
			return strconv.Quote(v)
		}
		return v
	case bool:
		return strconv.FormatBool(v)
	case map[string]any, []any:
		line := lines.Get()
		defer line.Free()
		writeJSON(line, v)
		return line.String()
	default:
		return fmt.Sprint(v)
	}
}
