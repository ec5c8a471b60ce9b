package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestAPreferenceForAnAnswerAtOnce(t *testing.T) {
	for field, async := range map[string]bool{
		"":                                   false,
		"respond-async":                      true,
		"Respond-Async":                      true,
		"return=minimal, respond-async; foo": true,
		" respond-async;wait=10 ,handling=lenient": true,
		"respond-asynchronously":                   false,
		"return=respond-async":                     false,
		`wait="respond-async"`:                     false,
	} {
		e := newEdge(t)
		e.service.sandbox.Status.State = lifecycle.Pending
		w := e.do("POST", "/v1/sandboxes", createBody, header{"Prefer": field})
		require.Equal(t, 202, w.Code)
		require.Equal(t, async, e.service.created.Async, field)
		require.Equal(t, async, w.Header().Get("Preference-Applied") == "respond-async", field)
	}
}

func TestTheFormOfAnIdempotencyKey(t *testing.T) {
	for value, ok := range map[string]bool{
		"8d8c1e3e-0d5b-4c9d": true, "x": true, `"quoted, with a space"`: true, strings.Repeat("k", 255): true,
		"  ": false, strings.Repeat("k", 256): false, "ключ": false, "a\x7f": false,
	} {
		e := newEdge(t)
		w := e.do("POST", "/v1/sandboxes", createBody, header{"Idempotency-Key": value})
		if ok {
			require.Equal(t, 202, w.Code, value)
			require.Equal(t, value, e.service.created.IdempotencyKey)
			require.NotZero(t, e.service.created.Content)
			continue
		}
		require.Equal(t, 422, w.Code, value)
		require.NotContains(t, w.Body.String(), "kkk", "the key is not repeated")
		require.Empty(t, e.service.calls, value)
	}
}

func TestAPreferenceThatWasNotNeeded(t *testing.T) {
	e := newEdge(t) // whose sandbox runs already, as one from a pool does
	w := e.do("POST", "/v1/sandboxes", createBody, header{"Prefer": "respond-async"})
	require.Equal(t, 202, w.Code)
	require.Empty(t, w.Header().Get("Preference-Applied"))
}

// The whole way with the real service and store: the same sandbox, or a refusal.
func TestARepeatedCreate(t *testing.T) {
	e := newRealEdge(t)
	ask := func(body, key string) (id string, status int) {
		w := e.do("POST", "/v1/sandboxes", body, header{"Idempotency-Key": key})
		var sandbox struct{ ID string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &sandbox))
		return sandbox.ID, w.Code
	}
	first, status := ask(createBody, "one")
	require.Equal(t, 202, status)
	again, status := ask(createBody, "one")
	require.Equal(t, 202, status)
	require.Equal(t, first, again)
	other, _ := ask(createBody, "two")
	require.NotEqual(t, first, other)
	wantError(t, e.do("POST", "/v1/sandboxes", createBody+" ", header{"Idempotency-Key": "one"}), 409, "SANDBOX::IDEMPOTENCY_KEY_REUSED")
	require.Equal(t, 204, e.do("DELETE", "/v1/sandboxes/"+first, "").Code)
	wantError(t, e.do("POST", "/v1/sandboxes", createBody, header{"Idempotency-Key": "one"}), 409, "SANDBOX::IDEMPOTENCY_KEY_USED")
}

// Clients ask for both endpoints of a sandbox that has just been promised (contract 01 §6.4).
func TestAPromisedSandboxHasEndpoints(t *testing.T) {
	e := newRealEdge(t)
	w := e.do("POST", "/v1/sandboxes", createBody, header{"Prefer": "respond-async"})
	require.Equal(t, 202, w.Code)
	var sandbox struct{ ID string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &sandbox))
	for _, port := range []string{"44772", "18080"} {
		require.Equal(t, 200, e.do("GET", "/v1/sandboxes/"+sandbox.ID+"/endpoints/"+port, "").Code)
	}
	require.Equal(t, 204, e.do("DELETE", "/v1/sandboxes/"+sandbox.ID, "").Code)
}
