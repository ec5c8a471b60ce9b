package logging_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/opensandbox-edge/edge/logging"
)

var at = time.Date(2026, 6, 15, 10, 0, 0, 0, time.UTC)

func encode(t *testing.T, o logging.Options, entry zapcore.Entry, with, extra []zap.Field) string {
	t.Helper()
	o.Location = time.UTC
	enc := logging.NewEncoder(o).Clone()
	for _, f := range with {
		f.AddTo(enc)
	}
	entry.Time = at
	line, err := enc.EncodeEntry(entry, extra)
	require.NoError(t, err)
	defer line.Free()
	out := line.String()
	require.Equal(t, 1, strings.Count(out, "\n"), "one entry is one line")
	return strings.TrimSuffix(out, "\n")
}

func TestTextLines(t *testing.T) {
	entry := zapcore.Entry{Level: zapcore.InfoLevel, LoggerName: "opensandbox", Message: "sandbox is ready"}
	fields := []zap.Field{zap.String("request_id", "r1"), zap.String("sandbox_id", "s1"), zap.Duration("took", time.Second), zap.String("note", `a "b"`)}

	require.Equal(t, `INFO:     2026-06-15 10:00:00+0000 [r1] opensandbox: sandbox is ready sandbox_id=s1 took=1s note="a \"b\""`,
		encode(t, logging.Options{}, entry, nil, fields))
	require.Equal(t, `INFO     2026-06-15 10:00:00+0000 [-] opensandbox: sandbox is ready`,
		encode(t, logging.Options{Format: logging.FormatFile}, entry, nil, nil))

	entry.Level = zapcore.WarnLevel
	require.Equal(t, "\x1b[33mWARNING\x1b[0m:  2026-06-15 10:00:00+0000 [-] opensandbox: sandbox is ready",
		encode(t, logging.Options{Color: true}, entry, nil, nil))
}

type request struct{}

func (request) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("remote_ip", "192.0.2.1")
	enc.AddString("remote_port", "4711")
	enc.AddString("client_ip", "192.0.2.1")
	enc.AddString("proto", "HTTP/1.1")
	enc.AddString("method", "GET")
	enc.AddString("host", "sb-8080-x2qxvk-8b6de077a.ex.com")
	enc.AddString("uri", "/v1/sandboxes?x=seeded-secret")
	return enc.AddReflected("headers", http.Header{"Open-Sandbox-Api-Key": {"seeded-secret"}, "Accept": {"*/*"}, "Referer": {"https://h/x?seeded-secret"}})
}

func TestAccessLine(t *testing.T) {
	entry := zapcore.Entry{Level: zapcore.InfoLevel, LoggerName: "http.log.access.log0", Message: "handled request"}
	got := encode(t, logging.Options{}, entry,
		[]zap.Field{zap.Object("request", request{})},
		[]zap.Field{zap.String("request_id", "r1"), zap.Int("status", 200), zap.Duration("duration", time.Second), zap.Reflect("resp_headers", http.Header{"Set-Cookie": {"seeded-secret"}})})
	require.Equal(t, `INFO:     2026-06-15 10:00:00+0000 [r1] access: 192.0.2.1:4711 - "GET /v1/sandboxes?*** HTTP/1.1" 200 duration=1s`, got)
}

// Caddy writes failed requests as errors.
func TestAccessLinesAreInfo(t *testing.T) {
	for _, format := range []logging.Format{logging.FormatText, logging.FormatFile, logging.FormatJSON} {
		for logger, want := range map[string]string{"http.log.access": "info", "http.log.access.log0": "info", "http.log.error": "error"} {
			got := encode(t, logging.Options{Format: format}, zapcore.Entry{Level: zapcore.ErrorLevel, LoggerName: logger, Message: "handled request"},
				nil, []zap.Field{zap.Int("status", 500)})
			if format == logging.FormatJSON {
				require.Contains(t, got, `"level":"`+want+`"`)
				continue
			}
			require.True(t, strings.HasPrefix(got, strings.ToUpper(want)), got)
		}
	}
}

// What stands in brackets or quotes cannot end them.
func TestTextLinesCannotBeContinued(t *testing.T) {
	entry := zapcore.Entry{Level: zapcore.InfoLevel, LoggerName: "opensandbox", Message: "created"}
	got := encode(t, logging.Options{}, entry, nil, []zap.Field{zap.String("request_id", `x]_auth:"admin'[`)})
	require.Equal(t, `INFO:     2026-06-15 10:00:00+0000 [x__auth:_admin__] opensandbox: created`, got)
	require.Contains(t, encode(t, logging.Options{Format: logging.FormatJSON}, entry, nil, []zap.Field{zap.String("request_id", `x]"`)}),
		`"request_id":"x]\""`, "JSON has quotes of its own")

	entry.LoggerName = "http.log.access"
	got = encode(t, logging.Options{}, entry, []zap.Field{zap.Any("request", map[string]string{
		"remote_ip": "192.0.2.1", "remote_port": "4711", "method": "GET", "uri": `/"_200`, "proto": "HTTP/1.1",
	})}, []zap.Field{zap.Int("status", 404)})
	require.Equal(t, `INFO:     2026-06-15 10:00:00+0000 [-] access: 192.0.2.1:4711 - "GET /\"_200 HTTP/1.1" 404`, got)
}

func TestJSONLine(t *testing.T) {
	entry := zapcore.Entry{Level: zapcore.ErrorLevel, LoggerName: "http.log.error", Message: "bad\x1b[31m\u202e\nline"}
	got := encode(t, logging.Options{Format: logging.FormatJSON}, entry,
		[]zap.Field{zap.Object("request", request{}), zap.Float64("nan", math.NaN())},
		[]zap.Field{zap.String("level", "forged"), zap.Error(errors.New("GET /a?seeded-secret: EOF"))})
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(got), &line))
	require.Equal(t, "error", line["level"], "a field cannot replace the level")
	require.Equal(t, "bad\x1b[31m\u202e\nline", line["msg"])
	require.NotContains(t, got, "\x1b")
	require.NotContains(t, got, "\u202e")
	require.NotContains(t, got, "seeded-secret")
	headers := line["request"].(map[string]any)["headers"].(map[string]any)
	require.Equal(t, "***", headers["Open-Sandbox-Api-Key"])
	require.Equal(t, []any{"*/*"}, headers["Accept"])
}

// Every way a secret can get into a field, in every form.
func TestNoFormShowsASecret(t *testing.T) {
	const secret = "seeded-secret"
	redactor := new(logging.Redactor)
	redactor.SetSecrets([]string{secret})
	for _, format := range []logging.Format{logging.FormatText, logging.FormatFile, logging.FormatJSON} {
		got := encode(t, logging.Options{Format: format, Redactor: redactor},
			zapcore.Entry{LoggerName: secret, Message: secret, Stack: secret},
			[]zap.Field{zap.Namespace(secret), zap.String("a", secret), zap.Strings("b", []string{secret})},
			[]zap.Field{
				zap.String("token", "another"), zap.Any("m", map[string]string{secret: secret}), zap.ByteString("c", []byte(secret)),
				zap.Error(errors.New(secret)), zap.Any("d", struct{ Deep []any }{[]any{map[string]any{"x": secret}}}), zap.Binary("e", []byte(secret)),
				zap.Stringer("f", stringer(secret)),
			})
		require.NotContains(t, got, secret)
		require.NotContains(t, got, "another")
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

func TestLongValuesAreBounded(t *testing.T) {
	got := encode(t, logging.Options{}, zapcore.Entry{Message: "m"}, nil, []zap.Field{zap.String("a", strings.Repeat("é", 1<<16))})
	require.Less(t, len(got), 16<<10)
	require.Contains(t, got, "bytes)")
}

func TestContextsDoNotShareATail(t *testing.T) {
	parent := logging.NewEncoder(logging.Options{Location: time.UTC})
	parent.AddString("a", "1")
	one, two := parent.Clone(), parent.Clone()
	one.AddString("b", "one")
	two.AddString("b", "two")
	line, err := one.EncodeEntry(zapcore.Entry{Time: at}, nil)
	require.NoError(t, err)
	require.Contains(t, line.String(), "a=1 b=one")
	require.NotContains(t, line.String(), "two")
}
