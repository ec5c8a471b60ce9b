package logging_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/opensandbox-edge/edge/logging"
)

// One access line, with the secrets of a real configuration to look for.
func BenchmarkAccessLine(b *testing.B) {
	redactor := new(logging.Redactor)
	redactor.SetSecrets([]string{"0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"})
	for _, format := range []logging.Format{logging.FormatText, logging.FormatJSON} {
		b.Run(string(format), func(b *testing.B) {
			enc := logging.NewEncoder(logging.Options{Format: format, Redactor: redactor})
			extra := []zap.Field{zap.Object("request", request{}), zap.String("request_id", "0123456789abcdef0123456789abcdef"), zap.Int("status", 200), zap.Duration("duration", 1234567)}
			entry := zapcore.Entry{LoggerName: "http.log.access", Message: "handled request", Time: at}
			b.ReportAllocs()
			for b.Loop() {
				line, err := enc.EncodeEntry(entry, extra)
				require.NoError(b, err)
				line.Free()
			}
		})
	}
}
