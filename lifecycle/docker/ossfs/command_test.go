package ossfs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/volume"
	"github.com/opensandbox-edge/edge/secret"
)

func bucket(change func(*volume.Volume)) Bucket {
	v := volume.Volume{Name: "v", MountPath: "/v", OSSFS: &volume.OSSFS{
		Bucket: "bucket", Endpoint: "oss.example.com", Version: volume.OSSFS2, KeyID: secret.New("the-id"), KeySecret: secret.New("the-key"),
	}}
	if change != nil {
		change(&v)
	}
	return Of(v)
}

func TestCommandLinesAndFiles(t *testing.T) {
	second := bucket(func(v *volume.Volume) { v.SubPath, v.OSSFS.Options = "a//b/", []string{"ro", "uid=1"} })
	require.Equal(t, []string{"ossfs2", "mount", "/at", "-c", "/file"}, second.command("/at", "/file"))
	require.Equal(t, `--oss_endpoint=https://oss.example.com
--oss_bucket=bucket
--oss_access_key_id=the-id
--oss_access_key_secret=the-key
--oss_bucket_prefix=a/b/
--ro
--uid=1
`, second.file())
	require.NotContains(t, bucket(nil).file(), "prefix")

	first := bucket(func(v *volume.Volume) {
		v.SubPath, v.OSSFS.Version, v.OSSFS.Options, v.OSSFS.Endpoint = "a/b", volume.OSSFS1, []string{"ro", "uid=1"}, "http://oss.example.com"
	})
	require.Equal(t, []string{
		"ossfs", "bucket:/a/b", "/at", "-o", "url=http://oss.example.com", "-o", "passwd_file=/file", "-o", "ro", "-o", "uid=1",
	}, first.command("/at", "/file"))
	require.Equal(t, "bucket:the-id:the-key\n", first.file())
	require.Equal(t, "bucket", bucket(func(v *volume.Volume) { v.OSSFS.Version = volume.OSSFS1 }).command("", "")[1])
}

func TestOnlyTheSameMountHasTheSameKey(t *testing.T) {
	keys := map[string]int{}
	for i, change := range []func(*volume.Volume){
		nil,
		func(v *volume.Volume) { v.OSSFS.Bucket = "other" },
		func(v *volume.Volume) { v.OSSFS.Endpoint = "other.example.com" },
		func(v *volume.Volume) { v.OSSFS.Endpoint = "http://oss.example.com" },
		func(v *volume.Volume) { v.OSSFS.Version = volume.OSSFS1 },
		func(v *volume.Volume) { v.OSSFS.KeyID = secret.New("x") },
		func(v *volume.Volume) { v.OSSFS.KeySecret = secret.New("x") },
		func(v *volume.Volume) { v.OSSFS.KeyID, v.OSSFS.KeySecret = secret.New("the-i"), secret.New("dthe-key") },
		func(v *volume.Volume) { v.OSSFS.Options = []string{"ro"} },
		func(v *volume.Volume) { v.SubPath = "a" },
		func(v *volume.Volume) { v.SubPath = "a/b" },
	} {
		key := bucket(change).key()
		other, taken := keys[key]
		require.False(t, taken, "%d and %d", i, other)
		keys[key] = i
		require.NotContains(t, key, "the-")
	}
	require.Equal(t, bucket(nil).key(), bucket(func(v *volume.Volume) { v.SubPath, v.OSSFS.Endpoint = "./", "https://oss.example.com" }).key())
}

func TestMountInfo(t *testing.T) {
	points, err := parseMountInfo(strings.NewReader("27 1 254:0 / / rw - ext4 x rw\n28 27 0:25 / /mnt/a\\040b\\134 ro - tmpfs t ro\nshort\n29 27 0:1 / /x\\9 rw - a b c\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"/": true, `/mnt/a b\`: true, `/x\9`: true}, points)
}
