package docker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Labels of contract 02 §2. They are written once and never change; external scripts
// filter on LabelID and LabelSidecarFor.
const (
	LabelID            = wire.LabelPrefix + "id"
	LabelExpiresAt     = wire.LabelPrefix + "expires-at"
	LabelManualCleanup = wire.LabelPrefix + "manual-cleanup"
	LabelPlatformOS    = wire.LabelPrefix + "platform-os"
	LabelPlatformArch  = wire.LabelPrefix + "platform-arch"
	LabelSnapshotID    = wire.LabelPrefix + "snapshot-id"
	LabelRenewExtend   = wire.LabelPrefix + "access-renew-extend-seconds"
	LabelProxyPort     = wire.LabelPrefix + "embedding-proxy-port"
	LabelHTTPPort      = wire.LabelPrefix + "http-port"
	LabelEgressToken   = wire.LabelPrefix + "egress-auth-token"
	LabelAccessToken   = wire.LabelPrefix + "secure-access-token"
	LabelOSSFSMounts   = wire.LabelPrefix + "ossfs-mounts"
	LabelManagedBy     = wire.LabelPrefix + "volume-managed-by"
	LabelSidecarFor    = wire.LabelPrefix + "egress-sidecar-for"
)

// Labels of our own, ignored by the reference.
const (
	// LabelInstance names the server that created an object.
	LabelInstance = wire.LabelPrefix + "instance"
	// LabelSeed is a JSON seed: what the other labels cannot carry exactly.
	LabelSeed = wire.LabelPrefix + "seed"
	// LabelRenewMax and LabelIdleTimeout are the other extensions about accesses, in seconds.
	LabelRenewMax    = wire.LabelPrefix + "access-renew-max-seconds"
	LabelIdleTimeout = wire.LabelPrefix + "access-idle-timeout-seconds"
	// LabelSecureAccess marks sandboxes that demand access verification. It stands alone so
	// that nothing wrong in the seed can take the demand away.
	LabelSecureAccess = wire.LabelPrefix + "secure-access"
	// LabelExecdPort names the port of a sandbox's execd on the host's network.
	LabelExecdPort = wire.LabelPrefix + "execd-port"
	// LabelAuxiliary marks short-lived containers and the execd volume.
	LabelAuxiliary = wire.LabelPrefix + "auxiliary"
)

const (
	// timeFormat is the reference's: ISO 8601 with a numeric offset and microseconds.
	timeFormat      = "2006-01-02T15:04:05.000000-07:00"
	timeFormatWhole = "2006-01-02T15:04:05-07:00"
)

// systemLabels is every label that means something to this server or the reference.
// All of them are set on each sandbox, blank when absent: a label the image carries
// would be inherited otherwise, and could make a sandbox expire, never expire, or
// delete somebody's volume (contract 02 §14, §21.6). LabelSidecarFor is not among them:
// its mere presence marks a sidecar to scripts; removeSidecar goes by name as well.
var systemLabels = []string{
	LabelID, LabelExpiresAt, LabelManualCleanup, LabelPlatformOS, LabelPlatformArch, LabelSnapshotID, LabelRenewExtend,
	LabelProxyPort, LabelHTTPPort, LabelEgressToken, LabelAccessToken, LabelOSSFSMounts, LabelManagedBy,
	LabelInstance, LabelSeed, LabelAuxiliary, LabelRenewMax, LabelIdleTimeout, LabelSecureAccess, LabelExecdPort,
}

// obeyedPrefixes are labels other tools on the host act on: a proxy would route to the
// sandbox, a job runner would execute a command. Metadata with such a key is kept in the
// seed and the store and never becomes an engine label.
var obeyedPrefixes = []string{
	"autoheal", "caddy", "com.centurylinklabs.watchtower", "com.docker.", "com.github.", "desktop.docker.", "diun.",
	"docker-volume-backup", "dockergen", "glance.", "homepage.", "io.containers.", "io.podman.", "lazydocker",
	"ofelia.", "org.opencontainers.", "prometheus", "sablier.", "swarm.", "swarmpit.", "traefik.", "wud.",
}

// seed is what a lost store record is rebuilt from, beside the contract's labels.
type seed struct {
	Version    int               `json:"v"`
	Image      string            `json:"image,omitempty"`
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	ExecdToken bool              `json:"execdToken,omitempty"`
	Pool       string            `json:"pool,omitempty"`
}

const seedVersion = 1

// labelsFor are the labels of a new sandbox whose life begins at now.
func labelsFor(spec lifecycle.Spec, instance string, now time.Time) (map[string]string, error) {
	labels := make(map[string]string, len(systemLabels)+len(spec.Metadata))
	for key, value := range spec.Metadata {
		if !obeyed(key) {
			labels[key] = value
		}
	}
	for _, key := range systemLabels {
		labels[key] = ""
	}
	content := seed{
		Version: seedVersion, Image: spec.Image, Entrypoint: spec.Entrypoint,
		Metadata: spec.Metadata, ExecdToken: spec.ExecdTokenSHA256 != "", Pool: spec.Pool,
	}
	if spec.SnapshotID != "" {
		content.Image = "" // not the client's business
	}
	encoded, err := json.Marshal(content)
	if err == nil && len(encoded) > maxLabelBytes {
		content.Entrypoint = nil // a long inline script; the container's Cmd has it too
		encoded, err = json.Marshal(content)
	}
	if err != nil {
		return nil, fmt.Errorf("encoding the seed label: %w", err)
	}
	labels[LabelID] = spec.ID
	labels[LabelInstance] = instance
	labels[LabelSeed] = string(encoded)
	labels[LabelSnapshotID] = spec.SnapshotID
	labels[LabelRenewExtend] = spec.RenewValue
	labels[LabelRenewMax], labels[LabelIdleTimeout] = formatSeconds(spec.RenewMax), formatSeconds(spec.IdleTimeout)
	if spec.SecureAccess {
		labels[LabelSecureAccess] = "true"
	}
	if spec.Timeout > 0 {
		labels[LabelExpiresAt] = formatTime(now.Add(spec.Timeout))
	} else {
		labels[LabelManualCleanup] = "true"
	}
	if spec.Platform != nil {
		labels[LabelPlatformOS], labels[LabelPlatformArch] = spec.Platform.OS, spec.Platform.Arch
	}
	return labels, nil
}

// obeyed reports a metadata key that another tool on the host would act on.
func obeyed(key string) bool {
	key = strings.ToLower(key)
	for _, prefix := range obeyedPrefixes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// formatTime writes an expiry as the reference does; the fraction is left out when zero.
func formatTime(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format(timeFormatWhole)
	}
	return t.Format(timeFormat)
}

// formatSeconds writes a duration that may be absent.
func formatSeconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatInt(int64(d/time.Second), 10)
}

// formatPort writes a host port label.
func formatPort(port uint16) string { return strconv.Itoa(int(port)) }
