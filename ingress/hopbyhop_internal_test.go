package ingress

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/h1"
	"github.com/opensandbox-edge/edge/ingress/route"
)

func TestConnectionOptions(t *testing.T) {
	for _, c := range []struct {
		values []string
		named  string
		ok     bool
	}{
		{nil, "[]", true},
		{[]string{"keep-alive"}, "[]", true},
		{[]string{"close, x-a\t,X-B", "te"}, "[Close X-A X-B Te]", true},
		{[]string{strings.Repeat("a,", 31) + "a"}, fmt.Sprint(strings.Fields(strings.Repeat("A ", 32))), true},
		{[]string{strings.Repeat("a,", 31), "a"}, fmt.Sprint(append(strings.Fields(strings.Repeat("A ", 31)), "")), false},
		{[]string{strings.Repeat(",", 1<<16)}, fmt.Sprint(make([]string, 32)), false},
	} {
		named, ok := connectionOptions(c.values)
		require.Equal(t, c.ok, ok, c.values)
		require.Equal(t, c.named, fmt.Sprint([]string(named)))
	}
}

// The worst Connection field that passes may cost what a head of the same size costs, by
// a factor that does not grow with the size (threat row B2). Without a bound on its options
// the factor was above 1000.
func TestConnectionOptionsAreCheap(t *testing.T) {
	fill := func(connection string) http.Header {
		h := http.Header{"Connection": {connection}}
		for n := range h1.MaxFields - 1 {
			h[fmt.Sprintf("X-%04x", n)] = []string{"v"}
		}
		return h
	}
	cost := func(head http.Header) time.Duration {
		best := time.Hour
		for range 20 {
			x := browserExchange(route.FormWildcard, "")
			x.w = httptest.NewRecorder()
			start := time.Now()
			x.copyResponseHeader(head)
			best = min(best, time.Since(start))
		}
		return best
	}
	options := strings.TrimSuffix(strings.Repeat("X-ffff,", maxOptions), ",")
	_, ok := connectionOptions([]string{options})
	require.True(t, ok)
	plain, worst := cost(fill(strings.Repeat("k", len(options)))), cost(fill(options))
	require.Less(t, worst, 30*plain)
}
