package docker

import (
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// hostConfig is the sandbox's HostConfig without ports.
func (r *Runtime) hostConfig(limits lifecycle.Limits, mounts []mount.Mount) *container.HostConfig {
	hc := &container.HostConfig{NetworkMode: container.NetworkMode(r.opts.NetworkMode), Mounts: mounts}
	r.profile.Apply(hc)
	hc.Memory, hc.NanoCPUs = r.profile.Limits(limits.MemoryBytes, limits.NanoCPUs)
	// Without MemorySwap the engine allows as much swap again.
	hc.MemorySwap = hc.Memory
	if limits.GPUs != 0 {
		hc.DeviceRequests = []container.DeviceRequest{{
			Count: limits.GPUs, DeviceIDs: []string{}, Capabilities: [][]string{{"gpu"}}, Options: map[string]string{},
		}}
	}
	return hc
}
