package lifecycle_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

func mounts(volumes ...volume.Volume) change {
	return func(r *lifecycle.CreateRequest) { r.Volumes = volumes }
}

// mounting is a runtime that mounts every volume but one named "forbidden".
type mounting struct {
	*runtimefake.Runtime
	made chan []volume.Volume
}

func (m mounting) CheckVolumes(volumes []volume.Volume) error {
	for _, v := range volumes {
		if v.Name == "forbidden" {
			return apierror.New(http.StatusBadRequest, volume.CodeHostNotAllowed, "no")
		}
	}
	return nil
}

func (m mounting) Create(ctx context.Context, spec lifecycle.Spec) (lifecycle.Instance, error) {
	m.made <- spec.Volumes
	return m.Runtime.Create(ctx, spec)
}

func TestVolumesReachARuntimeThatMountsThem(t *testing.T) {
	made := make(chan []volume.Volume, 1)
	b := started(t, func(o *lifecycle.Options) {
		o.Runtime = mounting{Runtime: o.Runtime.(*runtimefake.Runtime), made: made}
	})
	_, err := b.Create(t.Context(), request(mounts(volume.Volume{Name: "forbidden"})))
	fails(t, err, http.StatusBadRequest, volume.CodeHostNotAllowed)
	require.Empty(t, made, "a refused request reached the backend")

	wanted := volume.Volume{Name: "data", MountPath: "/data", Claim: &volume.Claim{Name: "c"}}
	_, err = b.Create(t.Context(), request(mounts(wanted)))
	require.NoError(t, err)
	require.Equal(t, []volume.Volume{wanted}, <-made)
}
