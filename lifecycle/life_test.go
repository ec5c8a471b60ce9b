package lifecycle_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Whether its context is asked for before a generation ends, after, or meanwhile: it is the
// same one, and it ends with the cause.
func TestAGenerationEndsForAllWhoAsk(t *testing.T) {
	var d lifecycle.Directory
	before, err := d.Publish(running("before", "10.0.0.1"))
	require.NoError(t, err)
	ctx := before.Ctx()
	require.NoError(t, ctx.Err())
	require.NoError(t, before.Ended())
	d.Remove("before", lifecycle.ErrGone)
	require.ErrorIs(t, context.Cause(ctx), lifecycle.ErrGone)
	require.ErrorIs(t, before.Ended(), lifecycle.ErrGone)
	require.Equal(t, ctx, before.Ctx())

	after, err := d.Publish(running("after", "10.0.0.2"))
	require.NoError(t, err)
	d.Remove("after", lifecycle.ErrGone)
	require.ErrorIs(t, context.Cause(after.Ctx()), lifecycle.ErrGone)

	for range 200 {
		e, err := d.Publish(running("meanwhile", "10.0.0.3"))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { <-e.Ctx().Done() })
		}
		wg.Go(func() { d.Remove("meanwhile", lifecycle.ErrGone) })
		wg.Wait()
	}
}

// The directory keeps its own copy of what the caller may change.
func TestTokensOfAnEntryAreItsOwn(t *testing.T) {
	var d lifecycle.Directory
	sum := [32]byte{1}
	e := running("a", "10.0.0.1")
	e.ExecdTokenSum, e.SecureSum = &sum, &sum
	published, err := d.Publish(e)
	require.NoError(t, err)
	sum[0] = 2
	require.Equal(t, [32]byte{1}, *published.ExecdTokenSum)
	require.Equal(t, [32]byte{1}, *published.SecureSum)
}
