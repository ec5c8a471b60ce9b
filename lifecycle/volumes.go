package lifecycle

import (
	"time"

	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

// VolumeMounter is a Runtime that gives sandboxes the volumes of their Spec. Create makes
// what they need, and Delete gives it back: mounts, and volumes that go with their last
// sandbox.
type VolumeMounter interface {
	// CheckVolumes applies the operator's rules to a request's volumes, without touching
	// host or backend.
	CheckVolumes(volumes []volume.Volume) error
}

func (s *Service) checkVolumes(c *checked, _ time.Time) error {
	if len(c.request.Volumes) == 0 {
		return nil
	}
	mounter, ok := s.o.Runtime.(VolumeMounter)
	if !ok {
		return invalid("volumes are not supported by the %s runtime of this server.", s.o.Runtime.Name())
	}
	return mounter.CheckVolumes(c.request.Volumes)
}
