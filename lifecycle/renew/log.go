package renew

import (
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// log writes one line per decision that matters, with the fields of contract 04 §9.7.
type log struct {
	*slog.Logger
	// Whoever can write to the Redis list decides how often accesses are dropped, so
	// each reason is told once in a while; the metrics count all.
	drops [outcomes]*rate.Sometimes
	locks *rate.Sometimes
}

const dropInterval = time.Minute

func newLog(l *slog.Logger) log {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	out := log{Logger: l, locks: &rate.Sometimes{Interval: dropInterval}}
	for i := range out.drops {
		out.drops[i] = &rate.Sometimes{Interval: dropInterval}
	}
	return out
}

// done tells the end of a renewal.
func (l log) done(a access, x lifecycle.Extension, err error) {
	level, event := slog.LevelDebug, "renew_skipped"
	attrs := []any{"renew_source", a.source.String(), "renew_sandbox_id", a.entry.ID}
	switch got := outcomeOf(x, err); got {
	case renewed:
		level, event = slog.LevelInfo, "renew_succeeded"
		attrs = append(attrs, "renew_new_expires_at", x.ExpiresAt)
	case failed:
		level, event = slog.LevelWarn, "renew_failed"
		e := apierror.From(err)
		why := "renew_expiration_error"
		if e.Status < http.StatusInternalServerError {
			why = "renew_expiration_rejected"
		}
		attrs = append(attrs, "renew_skip_reason", why, "renew_http_status", e.Status, "renew_http_detail", e.Message, "error", err)
	default:
		attrs = append(attrs, "renew_skip_reason", got.String())
	}
	Report(l.Logger, level, event, attrs...)
}

// dropped tells of an access from the queue that leads to no renewal; id is "" when the
// queue did not tell.
func (l log) dropped(why outcome, id string) {
	if why == queued || why == throttled || why == duplicate {
		return
	}
	level := slog.LevelWarn
	switch why {
	case notOptedIn, notRunning, unknown:
		level = slog.LevelDebug // gateways that do not know report every sandbox
	}
	l.drops[why].Do(func() {
		attrs := []any{"renew_source", Queue.String(), "renew_skip_reason", why.String()}
		if id != "" {
			attrs = append(attrs, "renew_sandbox_id", apierror.Clip(id))
		}
		Report(l.Logger, level, "intent_dropped", append(attrs,
			"note", "told once a minute per reason; opensandbox_renew_intents_total counts all")...)
	})
}

func (l log) lockFailed(id string, err error) {
	l.locks.Do(func() {
		Report(l.Logger, slog.LevelWarn, "lock_failed", "renew_sandbox_id", id, "error", err,
			"note", "renewed without asking other servers")
	})
}
