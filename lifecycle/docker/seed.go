package docker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// Bounds of what is believed from labels. A sandbox this server created stays far
// below them; labels beyond are somebody else's and are ignored.
const (
	maxLabelBytes      = 256 << 10
	maxSeedEntrypoint  = 1024
	maxSeedMetadata    = 256
	maxMetadataKey     = 317 // prefix, slash and name of the label grammar
	maxMetadataValue   = 4096
	maxReferenceBytes  = 4096
	maxManagedVolumes  = 64
	maxTokenBytes      = 256
	maxVolumeNameBytes = 255
)

// foreignPrefixes are labels that tools and images put on a container; on containers of
// the reference they are not the user's metadata (contract 02 §10).
var foreignPrefixes = []string{wire.LabelPrefix, "org.opencontainers.image.", "com.docker.", "desktop.docker."}

// readSeed rebuilds the creation-time record from labels. They are untrusted: anyone
// who can build an image chooses its labels. What has a wrong type or size is left
// out and named in ignored; nothing here fails.
func readSeed(id string, labels map[string]string) (record lifecycle.Record, ignored []string) {
	record = lifecycle.Record{ID: id, Phase: lifecycle.Live, SecureAccess: demandsAccess(labels)}
	ignore := func(key, why string) { ignored = append(ignored, fmt.Sprintf("%s: %s", key, why)) }

	text := func(key string) string {
		value := labels[key]
		if len(value) > maxLabelBytes || !utf8.ValidString(value) {
			ignore(key, "too long or not UTF-8")
			return ""
		}
		return value
	}

	if value := text(LabelExpiresAt); value != "" {
		if t, err := parseTime(value); err == nil {
			record.ExpiresAt = t
		} else {
			ignore(LabelExpiresAt, "not a time")
		}
	}
	// LabelManualCleanup says the same as no expiry; when an image smuggled in both, the
	// expiry wins, as in the reference.
	seconds := func(key string, least, most int) time.Duration {
		value := strings.TrimSpace(text(key))
		if value == "" {
			return 0
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			ignore(key, fmt.Sprintf("not %d to %d", least, most))
			return 0
		}
		return time.Duration(n) * time.Second
	}
	record.RenewExtend = seconds(LabelRenewExtend, lifecycle.MinRenewSeconds, lifecycle.MaxRenewSeconds)
	record.RenewMax = seconds(LabelRenewMax, lifecycle.MinRenewMaxSeconds, lifecycle.MaxRenewMaxSeconds)
	record.IdleTimeout = seconds(LabelIdleTimeout, lifecycle.MinIdleSeconds, lifecycle.MaxIdleSeconds)
	if os, arch := text(LabelPlatformOS), text(LabelPlatformArch); os != "" && arch != "" {
		if knownPlatform(os, arch) {
			record.Platform = &lifecycle.Platform{OS: os, Arch: arch}
		} else {
			ignore(LabelPlatformOS, "unknown platform")
		}
	}
	if value := text(LabelSnapshotID); value != "" {
		if _, ok := containerName(value); ok {
			record.SnapshotID = value
		} else {
			ignore(LabelSnapshotID, "not an id")
		}
	}

	if value := text(LabelSeed); value != "" {
		s, err := decodeSeed(value)
		if err == nil {
			record.Image, record.Entrypoint, record.Metadata, record.ExecdToken = s.Image, s.Entrypoint, s.Metadata, s.ExecdToken
			record.Pool = s.Pool
			return record, ignored
		}
		ignore(LabelSeed, err.Error())
	}
	record.Metadata = foreignMetadata(labels, ignore)
	return record, ignored
}

// demandsAccess fails closed: whatever a label says that is not blank is a demand.
func demandsAccess(labels map[string]string) bool {
	return strings.TrimSpace(labels[LabelSecureAccess]) != "" || strings.TrimSpace(labels[LabelAccessToken]) != ""
}

// accessToken is the token that the reference gave a sandbox. What no header can carry is
// none, and the sandbox gets a token from this server.
func accessToken(labels map[string]string) secret.Text {
	token := strings.TrimSpace(labels[LabelAccessToken])
	if len(token) > maxTokenBytes || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return secret.Text{}
	}
	return secret.New(token)
}

// decodeSeed reads our own label strictly.
func decodeSeed(text string) (seed, error) {
	var s seed
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return seed{}, fmt.Errorf("not a seed")
	}
	switch {
	case s.Version != seedVersion:
		return seed{}, fmt.Errorf("unknown version")
	case len(s.Image) > maxReferenceBytes, len(s.Entrypoint) > maxSeedEntrypoint, len(s.Metadata) > maxSeedMetadata:
		return seed{}, fmt.Errorf("too large")
	}
	for key, value := range s.Metadata {
		if !metadataEntry(key, value) || strings.HasPrefix(key, wire.LabelPrefix) {
			return seed{}, fmt.Errorf("bad metadata")
		}
	}
	return s, nil
}

// foreignMetadata is the reference's rule: every label that no tool owns. The labels
// an image brought along cannot be told apart, which is why ours carry a seed.
func foreignMetadata(labels map[string]string, ignore func(key, why string)) map[string]string {
	var out map[string]string
	for key, value := range labels {
		if hasAnyPrefix(key, foreignPrefixes) {
			continue
		}
		if len(out) == maxSeedMetadata {
			ignore("metadata", "more entries than are kept")
			return out
		}
		if !metadataEntry(key, value) {
			ignore("metadata", "an entry is too long or not UTF-8")
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[key] = value
	}
	return out
}

func metadataEntry(key, value string) bool {
	return key != "" && len(key) <= maxMetadataKey && len(value) <= maxMetadataValue &&
		utf8.ValidString(key) && utf8.ValidString(value)
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

func knownPlatform(os, arch string) bool {
	return (os == "linux" || os == "windows") && (arch == "amd64" || arch == "arm64")
}

// parseTime reads an expiry label; without an offset it is UTC.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() <= 9999 {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("not a time")
}

// managedVolumes reads the names a sandbox's label claims to own. A claim is checked
// against the volume's own label before anything is removed.
func managedVolumes(labels map[string]string) []string {
	text := labels[LabelManagedBy]
	if text == "" || len(text) > maxLabelBytes {
		return nil
	}
	var names, out []string
	if err := json.Unmarshal([]byte(text), &names); err != nil || len(names) > maxManagedVolumes {
		return nil
	}
	for _, name := range names {
		// The grammar matters: the name becomes part of an engine path.
		if len(name) <= maxVolumeNameBytes && networkGrammar.MatchString(name) {
			out = append(out, name)
		}
	}
	return out
}
