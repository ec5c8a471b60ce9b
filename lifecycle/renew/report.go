package renew

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Report writes a log line of contract 04 §9.7. attrs are names and values; those whose
// names begin with "renew_" make the message, too: "renew_intent " and name=value, sorted
// by name, which is what tools for the published server look for.
func Report(l *slog.Logger, level slog.Level, event string, attrs ...any) {
	if !l.Enabled(context.Background(), level) {
		return
	}
	attrs = append([]any{"renew_event", event}, attrs...)
	l.Log(context.Background(), level, message(attrs), attrs...)
}

func message(attrs []any) string {
	pairs := make([]string, 0, len(attrs)/2)
	for i := 0; i+1 < len(attrs); i += 2 {
		if name, ok := attrs[i].(string); ok && strings.HasPrefix(name, "renew_") {
			pairs = append(pairs, name+"="+word(attrs[i+1]))
		}
	}
	slices.Sort(pairs) // "=" comes before all that names are made of
	return "renew_intent " + strings.Join(pairs, " ")
}

// word is a value in one word; what could be taken for more is quoted.
func word(value any) string {
	if t, ok := value.(time.Time); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	text := fmt.Sprint(value)
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == '=' || c == '"' || c > '~' }) {
		return strconv.QuoteToASCII(text)
	}
	return text
}
