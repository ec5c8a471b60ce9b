package docker

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// That a container was made for a pool is believed of this server's own alone: a sandbox
// of another, or one whose image carries the label, must not be removed for it.
func TestOnlyOwnMembersAreKnownByTheirLabels(t *testing.T) {
	r := &Runtime{opts: Options{Instance: "edge-1"}, log: slog.New(slog.DiscardHandler)}
	for instance, pool := range map[string]string{"edge-1": "py", "edge-2": "", "": ""} {
		labels, err := labelsFor(lifecycle.Spec{ID: testID, Image: "demo", Pool: "py"}, instance, time.Now())
		require.NoError(t, err)
		require.Equal(t, pool, r.readSeed(testID, labels, "demo", time.Now()).Pool, instance)
	}
	labels, err := labelsFor(lifecycle.Spec{ID: testID, Image: "demo"}, "edge-1", time.Now())
	require.NoError(t, err)
	require.Empty(t, r.readSeed(testID, labels, "demo", time.Now()).Pool)
}
