package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/opensandbox-edge/edge/logging"
)

// refusals thins out the access lines of clients without a key whose requests failed by
// their own fault (4xx): anybody can cause them, at the rate of the network. Lines of
// known keys and of requests that did something are all written. It outlives
// configurations, or a reload would begin a second anew.
var refusals = logging.Sampler{First: 100, Each: 100}

// thin leaves the access line of an anonymous refusal out, or tells in it for how many
// lines it stands.
func thin(w http.ResponseWriter, r *http.Request) {
	if status := statusOf(w); status < 400 || status > 499 {
		return
	}
	switch n := refusals.Take(time.Now()); {
	case n == 0:
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	case n > 1:
		if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
			extra.Set(zap.Int("stands_for", n))
		}
	}
}

// statusOf asks the recorder of Caddy's access log, which other handlers may have wrapped;
// 0 without one, when no line will be written either.
func statusOf(w http.ResponseWriter) int {
	for w != nil {
		if recorder, ok := w.(interface{ Status() int }); ok {
			return recorder.Status()
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = wrapper.Unwrap()
	}
	return 0
}
