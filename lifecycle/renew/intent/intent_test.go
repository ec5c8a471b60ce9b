package intent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/renew/intent"
)

const id = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

var noon = time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC)

// The bytes that published gateways write.
func TestEncode(t *testing.T) {
	for want, i := range map[string]intent.Intent{
		`{"sandbox_id":"S","observed_at":"2026-03-22T12:00:00.123456789Z","port":8080,"request_uri":"/api/foo"}`: {
			SandboxID: "S", ObservedAt: noon.Add(123456789), Port: 8080, RequestURI: "/api/foo",
		},
		`{"sandbox_id":"S","observed_at":"2026-03-22T12:00:00.5Z","port":1}`: {
			SandboxID: "S", ObservedAt: noon.Add(time.Second / 2).In(time.FixedZone("x", 3600)), Port: 1,
		},
		`{"sandbox_id":"S","observed_at":"2026-03-22T12:00:00Z","request_uri":"/\u003ca\u0026b\u003e"}`: {
			SandboxID: "S", ObservedAt: noon, RequestURI: "/<a&b>",
		},
		`{"sandbox_id":"S","observed_at":"2026-03-22T12:00:00Z","port":2}`: {
			SandboxID: "S", ObservedAt: noon, Port: 2, RequestURI: strings.Repeat("<", intent.MaxBytes/5),
		},
	} {
		got, err := intent.Encode(i)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		back, err := intent.Decode(string(got))
		require.NoError(t, err)
		require.WithinDuration(t, i.ObservedAt, back.ObservedAt, time.Microsecond)
	}
}

func TestDecode(t *testing.T) {
	for element, want := range map[string]intent.Intent{
		// A published gateway, by hand.
		`{"sandbox_id":"` + id + `","observed_at":"2026-03-22T12:00:00.123456789Z","port":8080,"request_uri":"/api/foo"}`: {
			SandboxID: id, ObservedAt: noon.Add(123456 * time.Microsecond), Port: 8080, RequestURI: "/api/foo",
		},
		// A later release, with a field more.
		`{"namespace":"opensandbox","sandbox_id":"` + id + `","observed_at":"2026-03-22T12:00:00Z"}`: {SandboxID: id, ObservedAt: noon},
		// Python's isoformat().
		`{"sandbox_id": "` + id + `", "observed_at": "2026-03-22T20:00:00.500000+08:00", "port": 8080}`: {
			SandboxID: id, ObservedAt: noon.Add(time.Second / 2), Port: 8080,
		},
		`{"sandbox_id":" a\n","observed_at":" 2026-03-22T12:00:00 "}`:                       {SandboxID: "a", ObservedAt: noon},
		`{"sandbox_id":"a","observed_at":"2026-03-22 12:00:00.25+00:00"}`:                   {SandboxID: "a", ObservedAt: noon.Add(time.Second / 4)},
		`{"sandbox_id":"a","observed_at":"2026-03-22T10:30:00-0130"}`:                       {SandboxID: "a", ObservedAt: noon},
		`{"sandbox_id":"a","observed_at":"2026-03-22T12:00:00.1234567890123Z","port":"x"}`:  {SandboxID: "a", ObservedAt: noon.Add(123456 * time.Microsecond)},
		`{"sandbox_id":"a","observed_at":"2026-03-22T12:00:00Z","port":99999}`:              {SandboxID: "a", ObservedAt: noon},
		`{"sandbox_id":"a","observed_at":"2026-03-22T12:00:00Z","port":-1,"request_uri":7}`: {SandboxID: "a", ObservedAt: noon},
	} {
		got, err := intent.Decode(element)
		require.NoError(t, err, element)
		require.Equal(t, want, got, element)
	}
}

func TestGarbage(t *testing.T) {
	const when = `"observed_at":"2026-03-22T12:00:00Z"`
	for _, element := range []string{
		"", " ", "null", "[]", "7", `"x"`, "{", "{}", `{"sandbox_id":"a"}`, "{" + when + "}", "\xff\xfe",
		`{"sandbox_id":"a",` + when + `} {}`, `{"sandbox_id":"a",` + when + `,}`,
		`{"sandbox_id":null,` + when + `}`, `{"sandbox_id":7,` + when + `}`, `{"sandbox_id":["a"],` + when + `}`,
		`{"SANDBOX_ID":"a",` + when + `}`, `{"sandbox_id":"  ",` + when + `}`, `{"sandbox_id":"a/b",` + when + `}`,
		`{"sandbox_id":"a\u0000",` + when + `}`, `{"sandbox_id":"sandboxes",` + when + `}`, "{\"sandbox_id\":\"\xff\"," + when + `}`,
		`{"sandbox_id":"` + strings.Repeat("a", 64) + `",` + when + `}`,
		`{"sandbox_id":"a","observed_at":1774180800}`, `{"sandbox_id":"a","observed_at":"yesterday"}`, `{"sandbox_id":"a","observed_at":""}`,
		`{"sandbox_id":"a","observed_at":"2026-13-22T12:00:00Z"}`,
		`{"sandbox_id":"a",` + when + `,"x":"` + strings.Repeat("x", intent.MaxBytes) + `"}`,
		strings.Repeat("[", intent.MaxBytes), strings.Repeat(`{"a":`, intent.MaxBytes/5),
	} {
		_, err := intent.Decode(element)
		require.ErrorIs(t, err, intent.ErrMalformed, "%.200q", element)
	}
}

func TestFresh(t *testing.T) {
	for age, want := range map[time.Duration]error{
		0: nil, 300 * time.Second: nil, 300*time.Second + 1: intent.ErrStale, 100000 * time.Hour: intent.ErrStale,
		-60 * time.Second: nil, -60*time.Second - 1: intent.ErrFuture, -100000 * time.Hour: intent.ErrFuture,
	} {
		require.ErrorIs(t, intent.Intent{ObservedAt: noon.Add(-age)}.Fresh(noon), want, age)
	}
	require.ErrorIs(t, intent.Intent{}.Fresh(noon), intent.ErrStale)
	require.ErrorIs(t, intent.Intent{ObservedAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}.Fresh(noon), intent.ErrFuture)
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"sandbox_id":"a","observed_at":"2026-03-22T12:00:00.123456789Z","port":8080,"request_uri":"/api/foo"}`)
	f.Add(`{"sandbox_id": "a", "observed_at": "2026-03-22T20:00:00.500000+08:00"}`)
	f.Add(`{"namespace":"x","sandbox_id":" a ","observed_at":"2026-03-22T12:00:00","port":"x"}`)
	f.Add(`{"sandbox_id":"a","observed_at":"0000-01-01T00:00:00-23:59"}`)
	f.Fuzz(func(t *testing.T, element string) {
		i, err := intent.Decode(element)
		if err != nil {
			require.Equal(t, intent.Intent{}, i)
			return
		}
		require.LessOrEqual(t, len(element), intent.MaxBytes)
		require.NotEmpty(t, i.SandboxID)
		require.LessOrEqual(t, len(i.SandboxID), 63)
		if i.Fresh(noon) == nil {
			require.WithinDuration(t, noon, i.ObservedAt, intent.MaxAge)
		}
		if year := i.ObservedAt.Year(); year < 0 || year > 9999 {
			return // no such time is ever fresh, so it is never written
		}
		again, err := intent.Encode(i)
		require.NoError(t, err)
		require.LessOrEqual(t, len(again), intent.MaxBytes)
		same, err := intent.Decode(string(again))
		require.NoError(t, err, fmt.Sprintf("%q", again))
		require.Equal(t, i.SandboxID, same.SandboxID)
		require.True(t, i.ObservedAt.Equal(same.ObservedAt))
		require.Equal(t, i.Port, same.Port)
	})
}
