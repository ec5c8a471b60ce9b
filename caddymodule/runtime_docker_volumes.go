package caddymodule

import (
	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle/docker"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

// dockerVolumes translates what sandboxes may mount. The server's own files are none of it,
// whatever the file allows.
func dockerVolumes(c *config.Config) docker.Volumes {
	v := docker.Volumes{
		Policy: volume.Policy{
			HostPaths: c.Storage.AllowedHostPaths,
			Claims:    c.Storage.AllowedVolumes,
			Endpoints: c.Storage.AllowedEndpoints,
		},
		NoCreate:  !c.Storage.CreateHostPaths,
		OSSFSRoot: c.Storage.OSSFSMountRoot,
	}
	own := []string{c.Path, c.Server.TLSKeyFile, c.Server.TLSCertFile}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", ".secret"} {
		own = append(own, c.Store.Path+suffix)
	}
	for _, path := range own {
		if path != "" {
			v.Protected = append(v.Protected, path)
		}
	}
	return v
}
