package lifecycle_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func secured(r *lifecycle.CreateRequest) { r.SecureAccess = true }

func acceptsSecured(o *lifecycle.Options) { o.SecureAccess = true }

// demands tells whether the routes of a sandbox ask for the token.
func (b *bed) demands(id, token string) {
	b.t.Helper()
	require.Equal(b.t, token, b.AccessToken(id).Reveal())
	sum := b.entry(id).SecureSum
	if token == "" {
		require.Nil(b.t, sum)
		return
	}
	want := sha256.Sum256([]byte(token))
	require.Equal(b.t, &want, sum)
}

func TestSecuredSandbox(t *testing.T) {
	b := started(t, acceptsSecured)
	open, closed := b.create(), b.create(secured)
	b.demands(open.ID, "")
	token := b.AccessToken(closed.ID).Reveal()
	require.Len(t, token, 32)
	b.demands(closed.ID, token)
	require.True(t, b.AccessToken("unknown").IsZero())

	spec, ok := b.runtime.Spec(closed.ID)
	require.True(t, ok)
	require.True(t, spec.SecureAccess)
	record, ok := b.store.get(closed.ID)
	require.True(t, ok)
	require.True(t, record.SecureAccess)
	require.NotContains(t, fmt.Sprintf("%+v %+v", spec, record), token, "the token is kept nowhere")
	require.NotContains(t, fmt.Sprintf("%+v", closed), token)

	b.restart()
	b.demands(closed.ID, token)
	b.demands(open.ID, "")

	require.NoError(t, b.store.Delete(t.Context(), closed.ID)) // the store is lost, labels are not
	b.restart()
	b.demands(closed.ID, token)
}

// Labels can only demand more than the record: that of a store which knew of no access
// verification, or of an older backup, opens nothing.
func TestLabelsAndRecordEachDemandVerification(t *testing.T) {
	b := newBed(t, acceptsSecured)
	const id, other = "some-sandbox", "other-sandbox"
	spec := placed(id)
	spec.SecureAccess = true
	require.NoError(t, b.runtime.Place(spec))
	require.NoError(t, b.runtime.Place(placed(other)))
	for id, secured := range map[string]bool{id: false, other: true} {
		require.NoError(t, b.store.Put(t.Context(), lifecycle.Record{
			ID: id, Phase: lifecycle.Live, CreatedAt: b.clock.Now(), SecureAccess: secured,
		}))
	}
	require.NoError(t, b.Start(t.Context()))
	for _, id := range []string{id, other} {
		require.False(t, b.AccessToken(id).IsZero())
		b.demands(id, b.AccessToken(id).Reveal())
	}
}

func TestTokenOfTheReferenceIsKept(t *testing.T) {
	b := newBed(t, acceptsSecured)
	const id = "some-sandbox"
	require.NoError(t, b.runtime.Place(placed(id)))
	require.NoError(t, b.runtime.Secure(id, "K"))
	require.NoError(t, b.Start(t.Context()))
	b.demands(id, "K")
	b.restart()
	b.demands(id, "K")
	record, ok := b.store.get(id)
	require.True(t, ok)
	require.True(t, record.SecureAccess)
}
