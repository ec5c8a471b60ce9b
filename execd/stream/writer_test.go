package stream

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriterFraming(t *testing.T) {
	rec := httptest.NewRecorder()
	w := NewWriter(rec)
	require.Empty(t, rec.Header(), "headers wait for the first event")

	require.NoError(t, w.Send(Event{Type: Init, Text: "id<&>"}))
	require.NoError(t, w.Send(Event{Type: Complete}))
	w.Close()
	require.ErrorIs(t, w.Send(Event{Type: Ping}), ErrClosed)

	require.Equal(t, "text/event-stream", rec.Header().Get("Content-Type"))
	require.Equal(t, "no", rec.Header().Get("X-Accel-Buffering"))
	events := strings.Split(rec.Body.String(), "\n\n")
	require.Len(t, events, 3)
	require.Empty(t, events[2])
	require.True(t, strings.HasPrefix(events[0], `{"type":"init","text":"id<&>","timestamp":`), events[0])
	require.NotContains(t, events[1], "execution_time", "zero values are omitted")
}

func TestWriterDoesNotInterleave(t *testing.T) {
	rec := httptest.NewRecorder()
	w := NewWriter(rec)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_ = w.Send(Event{Type: Stdout, Text: strings.Repeat("z", 100)})
			}
		})
	}
	wg.Wait()
	events := strings.Split(strings.TrimSuffix(rec.Body.String(), "\n\n"), "\n\n")
	require.Len(t, events, 400)
	for _, e := range events {
		require.True(t, json.Valid([]byte(e)))
	}
}
