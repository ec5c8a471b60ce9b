package volume_test

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
	"github.com/opensandbox-edge/edge/secret"
)

var policy = volume.Policy{
	HostPaths: []string{"/srv/data/", "/opt/models", `D:\share`},
	Endpoints: []string{"*.aliyuncs.com", "Store.Example.com"},
}

func host(p, sub string) volume.Volume {
	return volume.Volume{Name: "v", MountPath: "/v", SubPath: sub, Host: &volume.Host{Path: p}}
}

func claim(name string) volume.Volume {
	return volume.Volume{Name: "v", MountPath: "/v", Claim: &volume.Claim{Name: name, Create: true}}
}

// ossfs is a bucket that is allowed, after change.
func ossfs(change func(v *volume.Volume, o *volume.OSSFS)) volume.Volume {
	o := &volume.OSSFS{
		Bucket: "bucket", Endpoint: "oss-cn-hangzhou.aliyuncs.com", Version: volume.OSSFS2,
		KeyID: secret.New("LTAI5t"), KeySecret: secret.New("hunter2hunter2"),
	}
	v := volume.Volume{Name: "v", MountPath: "/v", OSSFS: o}
	change(&v, o)
	return v
}

func at(mountPath string) volume.Volume {
	v := claim("c")
	v.MountPath = mountPath
	return v
}

func option(version, text string) volume.Volume {
	return ossfs(func(_ *volume.Volume, o *volume.OSSFS) { o.Version, o.Options = version, []string{"ro", text} })
}

func endpoint(e string) volume.Volume {
	return ossfs(func(_ *volume.Volume, o *volume.OSSFS) { o.Endpoint = e })
}

func TestWhatIsAllowed(t *testing.T) {
	for _, v := range []volume.Volume{
		host("/srv/data", ""), host("/srv/data/a.b", "c/d"), host("/opt/models/x", ""), host(`d:\share\x`, ""), host("D:/share", "x"),
		claim("c"), claim(strings.Repeat("a", 253)), claim("open-sandbox"),
		at("/a/../b"), at("/v:rw"), at("/optional"), at("/opt/app"), at("/processes"), at("/opt/opensandbox-x"),
		ossfs(func(*volume.Volume, *volume.OSSFS) {}),
		ossfs(func(v *volume.Volume, _ *volume.OSSFS) { v.SubPath = "some prefix/x" }),
		endpoint("https://oss-cn-hangzhou.aliyuncs.com"), endpoint("http://OSS.Aliyuncs.Com:8080/"), endpoint("store.example.com"),
		option(volume.OSSFS1, "umask=0022"), option(volume.OSSFS1, "allow_other"), option(volume.OSSFS1, "region=cn-hangzhou"),
		option(volume.OSSFS2, "attr_timeout=60"), option(volume.OSSFS2, "allow_other=true"), option(volume.OSSFS2, "allow_other"),
	} {
		require.NoError(t, policy.Check([]volume.Volume{v}), "%+v", v)
	}
	require.NoError(t, policy.Check(nil))
}

func TestEveryRuleHasItsCode(t *testing.T) {
	with := func(v volume.Volume, change func(*volume.Volume)) volume.Volume { change(&v); return v }
	named := func(name string) volume.Volume { return with(claim("c"), func(v *volume.Volume) { v.Name = name }) }
	sub := func(s string) volume.Volume { return host("/srv/data", s) }
	keys := func(id, key string) volume.Volume {
		return ossfs(func(_ *volume.Volume, o *volume.OSSFS) { o.KeyID, o.KeySecret = secret.New(id), secret.New(key) })
	}
	of := func(change func(o *volume.OSSFS)) volume.Volume {
		return ossfs(func(_ *volume.Volume, o *volume.OSSFS) { change(o) })
	}
	const parameter = "SANDBOX::INVALID_PARAMETER"
	for code, refused := range map[string][]volume.Volume{
		"VOLUME::INVALID_NAME": {named(""), named("Upper"), named("-a"), named("a-"), named("a_b"), named("a\n"), named(strings.Repeat("a", 64))},
		"VOLUME::INVALID_MOUNT_PATH": {
			at(""), at("rel"), at("/"), at("//"), at("/a/.."), at("/proc"), at("/proc/self"), at("/sys/"), at("/a/../sys/fs"), at("/opt"),
			at("/opt/opensandbox"), at("/opt/opensandbox/run"), at("/opt//opensandbox/./execd"), at("/a\x00"), at("/a\nb"), at("/" + strings.Repeat("a", 4096)),
		},
		"VOLUME::INVALID_SUB_PATH": {sub("/x"), sub(".."), sub("../x"), sub("a/../.."), sub("a/.."), sub("a\x00")},
		"VOLUME::INVALID_BACKEND": {
			{Name: "v", MountPath: "/v"},
			with(claim("c"), func(v *volume.Volume) { v.Host = &volume.Host{Path: "/srv/data"} }),
			with(claim("c"), func(v *volume.Volume) { v.OSSFS = &volume.OSSFS{} }),
		},
		"VOLUME::INVALID_HOST_PATH": {
			host("", ""), host("srv", ""), host("/srv/data/..", ""), host("/srv/data/../x", ""), host("/srv/data/..x", ""),
			host("/srv//data", ""), host("/srv/data/", ""), host("C:x", ""), host(`C:\a\..\b`, ""), host("/srv/data/\x00", ""),
		},
		"VOLUME::HOST_PATH_NOT_ALLOWED": {host("/", ""), host("/srv", ""), host("/srv/database", ""), host("/etc", ""), host("/SRV/data", ""), host(`E:\share`, "")},
		"VOLUME::INVALID_PVC_NAME":      {claim(""), claim("Up"), claim("a.b"), claim("opensandbox_execd.0"), claim("a/b"), claim(strings.Repeat("a", 254))},
		"VOLUME::PVC_NOT_ALLOWED":       {claim("opensandbox-runtime-5a"), claim("opensandbox-win-oem-5a")},
		"VOLUME::INVALID_OSSFS_VERSION": {of(func(o *volume.OSSFS) { o.Version = "" }), of(func(o *volume.OSSFS) { o.Version = "3.0" })},
		"VOLUME::INVALID_OSSFS_BUCKET":  {of(func(o *volume.OSSFS) { o.Bucket = " " })},
		"VOLUME::INVALID_OSSFS_ENDPOINT": {
			endpoint(""), endpoint(" "), endpoint("evil.example"), endpoint("aliyuncs.com"), endpoint("x.aliyuncs.com.evil.example"), endpoint("xaliyuncs.com"),
			endpoint("169.254.169.254"), endpoint("[::1]"), endpoint("http://127.0.0.1:80"), endpoint("0x7f000001"), endpoint("1.aliyuncs.com.1"),
			endpoint("u@oss.aliyuncs.com"), endpoint("evil.example/x.aliyuncs.com"), endpoint("oss.aliyuncs.com/path"), endpoint("oss.aliyuncs.com?q"),
			endpoint("oss.aliyuncs.com#f"), endpoint("ftp://oss.aliyuncs.com"), endpoint("-o.aliyuncs.com"), endpoint(strings.Repeat("a", 260) + ".aliyuncs.com"),
		},
		"VOLUME::INVALID_OSSFS_OPTION": {
			option(volume.OSSFS2, ""), option(volume.OSSFS2, " "), option(volume.OSSFS2, "-o"),
			option(volume.OSSFS2, "credential_process=/bin/sh"), option(volume.OSSFS2, "ram_role=x"), option(volume.OSSFS2, "log_dir=/etc"),
			option(volume.OSSFS1, "use_cache=/etc"), option(volume.OSSFS1, "passwd_file=/etc/shadow"), option(volume.OSSFS1, "url=http://x"),
			option(volume.OSSFS1, "umask=9"), option(volume.OSSFS1, "umask"), option(volume.OSSFS1, "ro=1"), option(volume.OSSFS1, "ro="),
			option(volume.OSSFS1, "uid=0,allow_root"), option(volume.OSSFS2, "uid=1 --x=y"), option(volume.OSSFS2, "=1"),
			of(func(o *volume.OSSFS) { o.Options = make([]string, 33) }),
		},
		"VOLUME::INVALID_OSSFS_CREDENTIALS": {keys("", "s"), keys("i", ""), keys("i:j", "s"), keys("i", "s\n--credential_process=x"), keys("i", "a b"), keys("i", strings.Repeat("s", 1025))},
		parameter: {
			of(func(o *volume.OSSFS) { o.Bucket = "ab" }), of(func(o *volume.OSSFS) { o.Bucket = "Bucket" }), of(func(o *volume.OSSFS) { o.Bucket = "b/../c" }),
			endpoint("a b.aliyuncs.com"), endpoint("a;b.aliyuncs.com"), endpoint("a.aliyuncs.com\n"),
			option(volume.OSSFS1, "uid=$(id)"), option(volume.OSSFS1, "uid=1\n"),
			ossfs(func(v *volume.Volume, _ *volume.OSSFS) { v.SubPath = "a`id`" }),
		},
	} {
		for _, v := range refused {
			requireCode(t, policy.Check([]volume.Volume{v}), code, v)
		}
	}
}

func requireCode(t *testing.T, err error, code string, about any) {
	t.Helper()
	var e *apierror.Error
	require.ErrorAs(t, err, &e, "%+v", about)
	require.Equal(t, code, e.Code, "%+v", about)
	require.Equal(t, http.StatusBadRequest, e.Status)
	require.NotContains(t, e.Message, "hunter2")
}

func TestRulesBetweenVolumes(t *testing.T) {
	a, b := claim("a"), claim("b")
	requireCode(t, policy.Check([]volume.Volume{a, b}), "VOLUME::DUPLICATE_NAME", "names")
	b.Name, b.MountPath = "w", "/v/"
	requireCode(t, policy.Check([]volume.Volume{a, b}), "VOLUME::INVALID_MOUNT_PATH", "targets")
	b.MountPath = "/v/inner"
	require.NoError(t, policy.Check([]volume.Volume{a, b}))
	// The first volume's violation is told, whatever its kind.
	b.MountPath = "rel"
	requireCode(t, policy.Check([]volume.Volume{host("/etc", ""), b}), "VOLUME::HOST_PATH_NOT_ALLOWED", "order")
	requireCode(t, policy.Check(make([]volume.Volume, 65)), "SANDBOX::INVALID_PARAMETER", "count")
}

func TestNothingIsAllowedUnlessTheOperatorSaysSo(t *testing.T) {
	var none volume.Policy
	requireCode(t, none.Check([]volume.Volume{host("/", "")}), "VOLUME::HOST_PATH_NOT_ALLOWED", "host")
	requireCode(t, none.Check([]volume.Volume{endpoint("oss.aliyuncs.com")}), "VOLUME::INVALID_OSSFS_ENDPOINT", "endpoint")
	all := volume.Policy{HostPaths: []string{"/"}}
	require.NoError(t, all.Check([]volume.Volume{host("/any/where", "x")}))
	require.NoError(t, all.Check([]volume.Volume{host("/", "")}))
}

func TestVolumesThatExist(t *testing.T) {
	v := claim("pgdata")
	require.NoError(t, volume.Policy{}.CheckExisting(v, false), "as in the reference")
	requireCode(t, volume.Policy{Claims: []string{}}.CheckExisting(v, false), "VOLUME::PVC_NOT_ALLOWED", "foreign")
	require.NoError(t, volume.Policy{Claims: []string{}}.CheckExisting(v, true), "ours")
	require.NoError(t, volume.Policy{Claims: []string{"pgdata"}}.CheckExisting(v, false), "listed")
}

// Whatever the text, a host path that passes is clean, absolute and below an allowed prefix.
func FuzzHostPath(f *testing.F) {
	f.Add("/srv/data/x", "y/z")
	f.Add("/srv/data/../../etc", "..")
	f.Add(`D:\share\..\x`, "")
	f.Fuzz(func(t *testing.T, p, sub string) {
		v := host(p, sub)
		if err := policy.Check([]volume.Volume{v}); err != nil {
			var e *apierror.Error
			require.True(t, errors.As(err, &e))
			return
		}
		source := v.HostSource()
		require.Equal(t, path.Clean(source), source)
		allowed := source == "/srv/data" || strings.HasPrefix(source, "/srv/data/") || source == "/opt/models" ||
			strings.HasPrefix(source, "/opt/models/") || strings.HasPrefix(strings.ToLower(source), "d:/share")
		require.True(t, allowed, "%q + %q gave %q", p, sub, source)
	})
}
