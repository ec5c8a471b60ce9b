package ingress

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFailureLog(t *testing.T) {
	var l failureLog
	now := time.Unix(1000, 0)
	allow := func(id string, after time.Duration) (int, bool) { return l.allow(id, now.Add(after)) }
	expect := func(wantSuppressed int, wantOK bool) func(int, bool) {
		return func(suppressed int, ok bool) {
			t.Helper()
			require.Equal(t, wantOK, ok)
			require.Equal(t, wantSuppressed, suppressed)
		}
	}
	expect(0, true)(allow("a", 0))
	expect(0, false)(allow("a", 1))
	expect(0, false)(allow("a", time.Second-1))
	expect(0, true)(allow("b", 1))
	expect(2, true)(allow("a", time.Second))
	expect(0, false)(allow("a", time.Second+1))
	expect(1, true)(allow("a", 10*time.Second))
	expect(0, true)(allow("a", 20*time.Second))
	for i := range 3 * maxFailureStats {
		expect(0, true)(allow(strconv.Itoa(i), 30*time.Second))
		require.LessOrEqual(t, len(l.seen), maxFailureStats)
	}
}
