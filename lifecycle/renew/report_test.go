package renew_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
)

// reported returns the one line that was logged.
func reported(t *testing.T, out *bytes.Buffer) (line map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), out.String())
	return line
}

func TestTheMessageRepeatsTheFieldsSorted(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	renew.Report(log, slog.LevelInfo, "renew_succeeded",
		"renew_source", "redis_queue", "renew_sandbox_id", "a-b", "error", "not in the message",
		"renew_http_detail", "two words=\n\"x\"", "renew_new_expires_at", time.Unix(2000000000, 0), "renew_http_status", 409)
	line := reported(t, &out)
	require.Equal(t, `renew_intent renew_event=renew_succeeded renew_http_detail="two words=\n\"x\"" renew_http_status=409 `+
		`renew_new_expires_at=2033-05-18T03:33:20Z renew_sandbox_id=a-b renew_source=redis_queue`, line["msg"])
	require.Equal(t, "renew_succeeded", line["renew_event"])
	require.Equal(t, "two words=\n\"x\"", line["renew_http_detail"])

	out.Reset()
	renew.Report(log, slog.LevelDebug, "renew_skipped")
	require.Empty(t, out.String())
}

func TestARefusedIntentNamesItsSandbox(t *testing.T) {
	for id, want := range map[string]string{
		"a": "renew_intent renew_event=intent_dropped renew_sandbox_id=a renew_skip_reason=stale renew_source=redis_queue",
		"":  "renew_intent renew_event=intent_dropped renew_skip_reason=stale renew_source=redis_queue",
	} {
		var out bytes.Buffer
		r, err := renew.New(renew.Options{Extender: &extender{}, Logger: slog.New(slog.NewJSONHandler(&out, nil))})
		require.NoError(t, err)
		r.Refuse(renew.Stale, id)
		require.NoError(t, r.Close(t.Context()))
		line := reported(t, &out)
		require.Equal(t, want, line["msg"])
		if id != "" {
			require.Equal(t, id, line["renew_sandbox_id"])
		}
	}
}

func TestAFailedRenewalTellsARefusalFromAFailure(t *testing.T) {
	for why, err := range map[string]error{
		"renew_expiration_rejected": apierror.New(409, "DOCKER::INVALID_STATE", "It is stopping."),
		"renew_expiration_error":    errors.New("disk full"),
	} {
		var out bytes.Buffer
		x := &extender{err: err}
		r, made := renew.New(renew.Options{Extender: x, Logger: slog.New(slog.NewJSONHandler(&out, nil))})
		require.NoError(t, made)
		r.Set(renew.Rules{Enabled: true})
		r.Touch(entry(t, "a", time.Hour), 8080, "")
		require.NoError(t, r.Close(t.Context())) // renews what is queued
		line := reported(t, &out)
		require.Equal(t, "renew_failed", line["renew_event"])
		require.Equal(t, why, line["renew_skip_reason"])
		require.Contains(t, line["msg"], "renew_source=server_proxy")
	}
}
