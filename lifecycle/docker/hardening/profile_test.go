package hardening

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/system"
	"github.com/stretchr/testify/require"
)

// able is an engine that can do all a profile may ask for.
func able() system.Info {
	return system.Info{
		Runtimes:        map[string]system.RuntimeWithStatus{"runc": {}, "runsc": {}},
		SecurityOptions: []string{"name=apparmor", "name=seccomp,profile=default"},
		LoggingDriver:   "json-file", Driver: "overlay2", DriverStatus: [][2]string{{"Backing Filesystem", "xfs"}},
		NCPU: 4, MemoryLimit: true, CPUCfsQuota: true, PidsLimit: true,
	}
}

func applied(t *testing.T, o Options, mounts ...mount.Mount) *container.HostConfig {
	t.Helper()
	p, err := New(o)
	require.NoError(t, err)
	warnings, err := p.Check(able())
	require.NoError(t, err)
	require.Empty(t, warnings)
	hc := &container.HostConfig{Mounts: mounts}
	p.Apply(hc)
	return hc
}

func TestWhatEverySandboxGets(t *testing.T) {
	hc := applied(t, Options{})
	require.ElementsMatch(t, []string{"AUDIT_WRITE", "MKNOD", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_TIME", "SYS_TTY_CONFIG"}, hc.CapDrop)
	require.Equal(t, []string{"no-new-privileges:true"}, hc.SecurityOpt)
	require.EqualValues(t, 4096, *hc.PidsLimit)
	require.Equal(t, map[string]string{"max-size": "10485760", "max-file": "3"}, hc.LogConfig.Config)
	require.Empty(t, hc.LogConfig.Type, "the driver is the operator's")
	require.Empty(t, hc.Runtime)
	require.Empty(t, hc.StorageOpt)
	require.Empty(t, hc.Tmpfs)
	require.Empty(t, hc.CapAdd)
	require.False(t, hc.Privileged)
}

func TestEveryOptionArrives(t *testing.T) {
	hc := applied(t, Options{
		DropCapabilities: []string{}, AllowNewPrivileges: true, AppArmorProfile: "edge", SeccompProfile: `{ "defaultAction": "SCMP_ACT_LOG" }`,
		OCIRuntime: "runsc", PidsLimit: -1, LogBytes: 1024, LogFiles: 2, ShmBytes: 1 << 20, StorageBytes: 1 << 30,
		Tmpfs: []string{"/tmp:size=1Mi,mode=700,exec", "/var/tmp", "/data"}, Ulimits: []string{"nofile=64:128", "core=0"},
		ExtraHosts: []string{"db:10.0.0.5", "six:[fd00::1]", "host:host-gateway"}, DNS: []string{"9.9.9.9"}, DNSSearch: []string{"example.com"}, DNSOptions: []string{"ndots:1"},
	}, mount.Mount{Target: "/data"})
	body, err := json.Marshal(map[string]any{
		"SecurityOpt": hc.SecurityOpt, "Runtime": hc.Runtime, "Log": hc.LogConfig.Config, "Shm": hc.ShmSize, "Storage": hc.StorageOpt,
		"Tmpfs": hc.Tmpfs, "Ulimits": hc.Ulimits, "Hosts": hc.ExtraHosts, "DNS": hc.DNS, "Search": hc.DNSSearch, "Options": hc.DNSOptions,
	})
	require.NoError(t, err)
	require.JSONEq(t, `{
		"SecurityOpt": ["apparmor=edge", "seccomp={\"defaultAction\":\"SCMP_ACT_LOG\"}"], "Runtime": "runsc",
		"Log": {"max-size": "1024", "max-file": "2"}, "Shm": 1048576, "Storage": {"size": "1073741824"},
		"Tmpfs": {"/tmp": "size=1048576,mode=700,exec", "/var/tmp": "size=67108864,mode=1777"},
		"Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}, {"Name": "core", "Soft": 0, "Hard": 0}],
		"Hosts": ["db:10.0.0.5", "six:[fd00::1]", "host:host-gateway"], "DNS": ["9.9.9.9"], "Search": ["example.com"], "Options": ["ndots:1"]
	}`, string(body), "/data is mounted already")
	require.NotNil(t, hc.CapDrop)
	require.Empty(t, hc.CapDrop)
	require.Nil(t, hc.PidsLimit)
	require.Empty(t, applied(t, Options{LogBytes: -1}).LogConfig.Config, "unbounded")
}

func TestAMountAtATmpfsLeavesTheNextSandboxItsOwn(t *testing.T) {
	p, err := New(Options{Tmpfs: []string{"/data"}})
	require.NoError(t, err)
	p.Apply(&container.HostConfig{Mounts: []mount.Mount{{Target: "/data"}}})
	hc := &container.HostConfig{}
	p.Apply(hc)
	require.Contains(t, hc.Tmpfs, "/data")
}

func TestEveryViolationIsNamedAtOnce(t *testing.T) {
	_, err := New(Options{
		SeccompProfile: "{", Tmpfs: []string{"tmp"}, Ulimits: []string{"files=3"}, ExtraHosts: []string{"db"}, DNS: []string{"dns.example"},
		DNSSearch: []string{"a b"}, DNSOptions: []string{"a\nnameserver 6.6.6.6"}, ShmBytes: -1, StorageBytes: -1, DefaultMemory: -1, DefaultNanoCPUs: -1,
	})
	for _, key := range []string{"seccomp_profile", "tmpfs", "ulimits", "extra_hosts", "dns_servers", "dns_search", "dns_options", "shm_size", "storage_size", "default_limits.memory", "default_limits.cpu"} {
		require.ErrorContains(t, err, "docker."+key+":")
	}
}

func TestTmpfsEntries(t *testing.T) {
	for _, bad := range []string{
		"", "tmp", "/", "/tmp/", "/tmp/../etc", "/proc", "/proc/x", "/sys", "/dev", "/dev/shm", "/opt", "/opt/opensandbox", "/opt/opensandbox/run", "/a,b",
		"/tmp:size=", "/tmp:size=0", "/tmp:size=lots", "/tmp:mode=999", "/tmp:mode=", "/tmp:suid", "/tmp:exec=1", "/tmp:size=1Mi,", "/tmp:,size=1Mi",
	} {
		_, err := readTmpfs([]string{bad})
		require.Error(t, err, bad)
	}
	_, err := readTmpfs([]string{"/tmp", "/tmp:exec"})
	require.ErrorContains(t, err, "twice")
}

func TestUlimitEntries(t *testing.T) {
	for _, bad := range []string{"", "nofile", "nofile=", "nofile=a", "nofile=5:4", "files=1", "nofile=1:2:3"} {
		_, err := readUlimits([]string{bad})
		require.Error(t, err, bad)
	}
	_, err := readUlimits([]string{"nofile=1", "nofile=2"})
	require.ErrorContains(t, err, "twice")
}

func TestHostEntries(t *testing.T) {
	for _, bad := range []string{"", ":", "db", "db:", ":10.0.0.1", "db:gateway", "d b:10.0.0.1", "db:10.0.0.1\nx", "-db:10.0.0.1"} {
		require.Error(t, checkHosts([]string{bad}), bad)
	}
	require.NoError(t, checkHosts([]string{"a.b-c:10.0.0.1", "x:fd00::1", "x:[fd00::1]"}))
	require.Error(t, checkServers([]string{"fe80::1%eth0"}))
}

func TestSeccompIsReadAtStart(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"text": "unconfined", "list": "[]", "empty": "{}", "large": `{"defaultAction":"` + strings.Repeat("x", maxSeccompBytes) + `"}`,
		"word": `{"defaultAction":"SCMP_ACT_FORBID"}`, "rule": `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount"],"action":"deny"}]}`,
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := New(Options{SeccompProfile: file})
		require.ErrorContains(t, err, "docker.seccomp_profile", name)
	}
	_, err := New(Options{SeccompProfile: filepath.Join(dir, "absent")})
	require.ErrorIs(t, err, os.ErrNotExist)

	good := filepath.Join(dir, "good")
	require.NoError(t, os.WriteFile(good, []byte("{\n \"defaultAction\": \"SCMP_ACT_ERRNO\"\n}\n"), 0o600))
	require.Contains(t, applied(t, Options{SeccompProfile: good}).SecurityOpt, `seccomp={"defaultAction":"SCMP_ACT_ERRNO"}`)
	require.Contains(t, applied(t, Options{SeccompProfile: "unconfined"}).SecurityOpt, "seccomp=unconfined")
}

func TestWishesAnEngineCannotFulfil(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		engine  func(*system.Info)
		want    string
	}{
		"no AppArmor":         {Options{AppArmorProfile: "edge"}, func(i *system.Info) { i.SecurityOptions = []string{"name=seccomp,profile=default"} }, "docker.apparmor_profile"},
		"no seccomp":          {Options{SeccompProfile: `{"defaultAction":"SCMP_ACT_LOG"}`}, func(i *system.Info) { i.SecurityOptions = nil }, "docker.seccomp_profile"},
		"unknown runtime":     {Options{OCIRuntime: "kata-runtime"}, func(*system.Info) {}, `no OCI runtime "kata-runtime" (secure_runtime.docker_runtime); it has: runc, runsc`},
		"no quota on ext4":    {Options{StorageBytes: 1}, func(i *system.Info) { i.DriverStatus = [][2]string{{"Backing Filesystem", "extfs"}} }, "its data is on extfs"},
		"no quota in drivers": {Options{StorageBytes: 1}, func(i *system.Info) { i.Driver = "fuse-overlayfs" }, "fuse-overlayfs cannot"},
	} {
		p, err := New(c.options)
		require.NoError(t, err, name)
		info := able()
		c.engine(&info)
		_, err = p.Check(info)
		require.ErrorContains(t, err, c.want, name)
	}
	for _, fine := range []Options{{AppArmorProfile: "unconfined"}, {SeccompProfile: "unconfined"}, {AppArmorProfile: ""}} {
		p, err := New(fine)
		require.NoError(t, err)
		bare := able()
		bare.SecurityOptions = nil
		_, err = p.Check(bare)
		require.NoError(t, err)
	}
}

func TestLimitsTheEngineDoesNotEnforceAreNamed(t *testing.T) {
	p, err := New(Options{})
	require.NoError(t, err)
	info := able()
	info.MemoryLimit, info.PidsLimit = false, false
	warnings, err := p.Check(info)
	require.NoError(t, err)
	require.Equal(t, []string{"memory", "processes"}, warnings)
}

func TestLogOptionsFollowTheDriver(t *testing.T) {
	for driver, bounded := range map[string]bool{"json-file": true, "local": true, "journald": false, "none": false} {
		p, err := New(Options{})
		require.NoError(t, err)
		info := able()
		info.LoggingDriver = driver
		_, err = p.Check(info)
		require.NoError(t, err)
		hc := &container.HostConfig{}
		p.Apply(hc)
		require.Equal(t, bounded, len(hc.LogConfig.Config) > 0, driver)
	}
}

func TestDefaultLimits(t *testing.T) {
	p, err := New(Options{DefaultMemory: 1 << 30, DefaultNanoCPUs: 8e9})
	require.NoError(t, err)
	_, err = p.Check(able())
	require.NoError(t, err)
	memory, cpus := p.Limits(0, 0)
	require.EqualValues(t, 1<<30, memory)
	require.EqualValues(t, 4e9, cpus, "no more than the engine has")
	memory, cpus = p.Limits(5, 6)
	require.Equal(t, [2]int64{5, 6}, [2]int64{memory, cpus}, "what a create asks for stands")
}
