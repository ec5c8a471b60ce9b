package ossfs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"strings"

	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

// Bucket is one mount that is wanted: checked by volume.Policy.
type Bucket struct {
	volume.OSSFS
	Prefix string // within the bucket; "" = all of it
}

// Of is the mount of an OSSFS volume.
func Of(v volume.Volume) Bucket {
	prefix := path.Clean("/" + v.SubPath)[1:]
	return Bucket{OSSFS: *v.OSSFS, Prefix: prefix}
}

// key names the mount. Whoever has other credentials has another mount, and so cannot ride
// on one that works. It is written into labels: nothing can be read out of it.
func (b Bucket) key() string {
	parts, _ := json.Marshal([]any{ // strings always encode
		"opensandbox ossfs 1", b.Version, b.EndpointURL(), b.Bucket, b.Prefix, b.Options, b.KeyID.Reveal(), b.KeySecret.Reveal(),
	})
	sum := sha256.Sum256(parts)
	return hex.EncodeToString(sum[:])
}

// command is the program with its arguments. The credentials are in the file.
func (b Bucket) command(target, file string) []string {
	if b.Version == volume.OSSFS2 {
		return []string{"ossfs2", "mount", target, "-c", file}
	}
	source := b.Bucket
	if b.Prefix != "" {
		source += ":/" + b.Prefix
	}
	argv := []string{"ossfs", source, target, "-o", "url=" + b.EndpointURL(), "-o", "passwd_file=" + file}
	for _, option := range b.Options {
		argv = append(argv, "-o", option)
	}
	return argv
}

// file is the content of the file with the credentials.
func (b Bucket) file() string {
	id, key := b.KeyID.Reveal(), b.KeySecret.Reveal()
	if b.Version != volume.OSSFS2 {
		return b.Bucket + ":" + id + ":" + key + "\n"
	}
	lines := []string{
		"--oss_endpoint=" + b.EndpointURL(), "--oss_bucket=" + b.Bucket,
		"--oss_access_key_id=" + id, "--oss_access_key_secret=" + key,
	}
	if b.Prefix != "" {
		lines = append(lines, "--oss_bucket_prefix="+b.Prefix+"/")
	}
	for _, option := range b.Options {
		lines = append(lines, "--"+option)
	}
	return strings.Join(lines, "\n") + "\n"
}

// withoutKeys takes the credentials out of what a program printed.
func (b Bucket) withoutKeys(text string) string {
	return strings.NewReplacer(b.KeySecret.Reveal(), "***", b.KeyID.Reveal(), "***").Replace(text)
}
