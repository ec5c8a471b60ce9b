package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// profile is the hardening every sandbox gets (contract 02 §6).
type profile struct {
	capDrop     []string
	securityOpt []string
	pidsLimit   *int64
	ociRuntime  string
	logConfig   container.LogConfig
}

// newProfile reads the seccomp file once: the engine wants its JSON, not its path.
func newProfile(o Options) (profile, error) {
	p := profile{capDrop: o.DropCapabilities, ociRuntime: o.OCIRuntime}
	if o.PidsLimit > 0 {
		limit := o.PidsLimit
		p.pidsLimit = &limit
	}
	if !o.AllowNewPrivileges {
		p.securityOpt = append(p.securityOpt, "no-new-privileges:true")
	}
	if o.AppArmorProfile != "" {
		p.securityOpt = append(p.securityOpt, "apparmor="+o.AppArmorProfile)
	}
	if o.SeccompProfile != "" {
		value, err := readSeccomp(o.SeccompProfile)
		if err != nil {
			return profile{}, fmt.Errorf("docker.seccomp_profile: %w", err)
		}
		p.securityOpt = append(p.securityOpt, "seccomp="+value)
	}
	return p, nil
}

const maxSeccompBytes = 4 << 20

// readSeccomp returns what the engine takes: "unconfined" or the profile as one line of JSON.
func readSeccomp(value string) (string, error) {
	if value == "unconfined" {
		return value, nil
	}
	raw := []byte(value)
	if strings.HasPrefix(value, "{") {
		value = "the JSON text"
	} else {
		file, err := os.Open(value)
		if err != nil {
			return "", fmt.Errorf("want \"unconfined\", a JSON profile or its path: %w", err)
		}
		defer file.Close()
		if raw, err = io.ReadAll(io.LimitReader(file, maxSeccompBytes+1)); err != nil {
			return "", err
		}
	}
	if len(raw) > maxSeccompBytes {
		return "", fmt.Errorf("%s is larger than %d bytes", value, maxSeccompBytes)
	}
	var shape struct {
		DefaultAction string `json:"defaultAction"`
	}
	if err := json.Unmarshal(raw, &shape); err != nil {
		return "", fmt.Errorf("%s is not JSON: %w", value, err)
	}
	if shape.DefaultAction == "" {
		return "", fmt.Errorf("%s is no seccomp profile: it has no defaultAction", value)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return "", err
	}
	return compact.String(), nil
}

// hostConfig is the sandbox's HostConfig without mounts and ports.
func (r *Runtime) hostConfig(limits lifecycle.Limits) *container.HostConfig {
	hc := &container.HostConfig{
		NetworkMode: container.NetworkMode(r.opts.NetworkMode),
		CapDrop:     r.profile.capDrop,
		SecurityOpt: r.profile.securityOpt,
		Runtime:     r.profile.ociRuntime,
		LogConfig:   r.profile.logConfig,
	}
	hc.PidsLimit = r.profile.pidsLimit
	if limits.MemoryBytes > 0 {
		// Without MemorySwap the engine allows as much swap again.
		hc.Memory, hc.MemorySwap = limits.MemoryBytes, limits.MemoryBytes
	}
	hc.NanoCPUs = limits.NanoCPUs
	if limits.GPUs != 0 {
		hc.DeviceRequests = []container.DeviceRequest{{
			Count: limits.GPUs, DeviceIDs: []string{}, Capabilities: [][]string{{"gpu"}}, Options: map[string]string{},
		}}
	}
	return hc
}

// The engine keeps so many files of so many bytes of a sandbox's output.
const (
	logFiles = 3
	logBytes = 10 << 20
)

// logConfig bounds the log the engine keeps of a sandbox's output, which would fill the
// host's disk otherwise. The driver stays the operator's choice; one that does not write
// local files needs no bound and would refuse the options.
func logConfig(driver string) container.LogConfig {
	switch driver {
	case "json-file", "local":
		return container.LogConfig{Config: map[string]string{
			"max-size": strconv.Itoa(logBytes),
			"max-file": strconv.Itoa(logFiles),
		}}
	}
	return container.LogConfig{}
}
