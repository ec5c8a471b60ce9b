package caddymodule

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Strangers cannot fill the disk; what a key did is all there.
func TestAnonymousRefusalsAreSampled(t *testing.T) {
	first := refusals.First
	t.Cleanup(func() { refusals.First = first }) // after the server has stopped
	refusals.First = 1                           // whatever the speed of this machine
	r := newRig(t)
	r.load(r.toml(testKey))
	const requests = 300
	refused := func(headers ...string) {
		for range requests {
			got := r.do(http.MethodGet, "/v1/sandboxes/none", headers...)
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusNotFound}, got.status)
		}
	}
	lines := func(with string) (n int) {
		for line := range strings.Lines(readFile(t, filepath.Join(r.dir, "access.log"))) {
			if strings.Contains(line, with) {
				n++
			}
		}
		return n
	}
	// The line of a request is written after its answer.
	last := func(target string) {
		r.do(http.MethodGet, target)
		require.Eventually(t, func() bool { return lines(target) > 0 }, wait, tick)
	}

	refused(keyHeader(testKey))
	last("/redoc")
	require.Equal(t, requests, lines(`" 404`), "lines of a key are never left out")

	refused()
	last("/status.ok")
	require.Positive(t, lines(`" 401`))
	require.Less(t, lines(`" 401`), requests/2)
	require.Equal(t, requests, lines(`" 404`))
}
