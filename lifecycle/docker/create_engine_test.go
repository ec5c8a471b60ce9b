//go:build docker

package docker

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
)

func TestCreateTakesThreeCalls(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	id := uuid.NewString()
	proxy.Reset()
	_, err := r.Create(t.Context(), spec(id))
	require.NoError(t, err)

	calls := proxy.Requests()
	require.Len(t, calls, 3, "%v", calls)
	require.True(t, enginetest.CreateContainer(calls[0]))
	require.True(t, enginetest.StartContainer(calls[1]))
	require.True(t, enginetest.InspectContainer(calls[2]))

	proxy.Reset()
	_, err = r.List(t.Context())
	require.NoError(t, err)
	require.Len(t, proxy.Requests(), 1)
}

func TestContainerOfASandbox(t *testing.T) {
	r, cli := open(t, nil), engineClient(t)
	s := spec(uuid.NewString())
	s.Env = []lifecycle.EnvVar{{Name: "HELLO", Value: "WORLD"}}
	s.Metadata = map[string]string{"team": "a", "traefik.enable": "true"}
	s.Limits = lifecycle.Limits{MemoryBytes: 128 << 20, NanoCPUs: 5e8}
	s.ExecdTokenSHA256 = strings.Repeat("ab", 32)
	instance, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), instance.StartedAt, time.Minute)
	require.Equal(t, s.Image, instance.Seed.Image)

	c, err := cli.ContainerInspect(t.Context(), "sandbox-"+s.ID)
	require.NoError(t, err)
	require.Equal(t, instance.BackendID, c.ID)
	require.Equal(t, []string{"/opt/opensandbox/bootstrap.sh"}, []string(c.Config.Entrypoint))
	require.Equal(t, s.Entrypoint, []string(c.Config.Cmd))
	require.Subset(t, c.Config.Env, []string{"HELLO=WORLD", "OPENSANDBOX_ID=" + s.ID, "EXECD_ACCESS_TOKEN_SHA256=" + s.ExecdTokenSHA256})
	require.Equal(t, s.ID, c.Config.Labels[LabelID])
	require.Equal(t, "a", c.Config.Labels["team"])
	require.NotContains(t, c.Config.Labels, "traefik.enable")
	require.EqualValues(t, 128<<20, c.HostConfig.Memory)
	require.EqualValues(t, 128<<20, c.HostConfig.MemorySwap)
	require.EqualValues(t, 5e8, c.HostConfig.NanoCPUs)
	require.EqualValues(t, 4096, *c.HostConfig.PidsLimit)
	require.Contains(t, c.HostConfig.SecurityOpt, "no-new-privileges:true")
	require.Contains(t, []string(c.HostConfig.CapDrop), "CAP_NET_RAW")
	require.Empty(t, c.HostConfig.Binds)
	require.Empty(t, c.HostConfig.PortBindings)
	require.False(t, c.HostConfig.Privileged)
	require.Equal(t, "10485760", c.HostConfig.LogConfig.Config["max-size"])
	require.Len(t, c.HostConfig.Mounts, 2)
	require.Equal(t, mount.TypeVolume, c.HostConfig.Mounts[0].Type)
	require.True(t, c.HostConfig.Mounts[0].ReadOnly)
	require.True(t, c.HostConfig.Mounts[0].VolumeOptions.NoCopy)

	for _, c := range []struct {
		command string
		works   bool
	}{
		{"test -x /opt/opensandbox/execd && test -x /opt/opensandbox/bootstrap.sh", true},
		{"echo A=1 >/opt/opensandbox/.env && grep -q A=1 /opt/opensandbox/run/.env", true},
		{"test $(stat -c %a /opt/opensandbox/run) = 1777", true},
		{"echo x >/opt/opensandbox/execd", false},
		{"rm -f /opt/opensandbox/bootstrap.sh", false},
		{"mv -f /opt/opensandbox/.env /opt/opensandbox/.env2", false},
		{"mount -o remount,rw /opt/opensandbox", false},
		{"dd if=/dev/zero of=/opt/opensandbox/run/big bs=1M count=65", false},
	} {
		out, code := run(t, cli, s.ID, "sh", "-c", c.command)
		require.Equal(t, c.works, code == 0, "%s: %d %s", c.command, code, out)
	}
}

func TestImagesOfEveryKind(t *testing.T) {
	r, cli := open(t, nil), engineClient(t)

	t.Run("not root", func(t *testing.T) {
		s := spec(uuid.NewString())
		s.Image = variant(t, cli, demoImage(), nil, "USER 1000:1000")
		_, err := r.Create(t.Context(), s)
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Delete(context.Background(), s.ID)) }()
		out, code := run(t, cli, s.ID, "sh", "-c", "id -u && echo A=1 >/opt/opensandbox/.env")
		require.Zero(t, code, out)
		require.Contains(t, out, "1000")
	})

	t.Run("without a shell", func(t *testing.T) {
		made, err := cli.ContainerCreate(t.Context(), &container.Config{Image: demoImage()}, nil, nil, nil, "")
		require.NoError(t, err)
		defer func() {
			require.NoError(t, cli.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{}))
		}()
		binary, _, err := cli.CopyFromContainer(t.Context(), made.ID, "/usr/bin/demo-web")
		require.NoError(t, err)
		defer binary.Close()
		name := importImage(t, cli, binary)
		s := spec(uuid.NewString())
		s.Image, s.Entrypoint = name, []string{"/demo-web"}
		instance, err := r.Create(t.Context(), s)
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Delete(context.Background(), s.ID)) }()
		requireAnswers(t, fmt.Sprintf("http://%s/healthz", net.JoinHostPort(instance.Address.String(), "8080")))
	})

	t.Run("with anonymous volumes", func(t *testing.T) {
		s := spec(uuid.NewString())
		s.Image = variant(t, cli, demoImage(), nil, "VOLUME /data")
		_, err := r.Create(t.Context(), s)
		require.NoError(t, err)
		c, err := cli.ContainerInspect(t.Context(), "sandbox-"+s.ID)
		require.NoError(t, err)
		var anonymous string
		for _, m := range c.Mounts {
			if m.Destination == "/data" {
				anonymous = m.Name
			}
		}
		require.NotEmpty(t, anonymous)
		require.NoError(t, r.Delete(t.Context(), s.ID))
		_, err = cli.VolumeInspect(t.Context(), anonymous)
		require.ErrorContains(t, err, "no such volume")
		_, err = cli.VolumeInspect(t.Context(), r.execd.ready.Load().volume)
		require.NoError(t, err, "the shared volume stays")
	})

	t.Run("with labels of ours", func(t *testing.T) {
		// What a snapshot or a hostile image can carry: none of it may take effect.
		s := spec(uuid.NewString())
		s.Timeout = 0
		s.Image = variant(t, cli, demoImage(), nil,
			"LABEL opensandbox.io/expires-at=2001-01-01T00:00:00+00:00", "LABEL opensandbox.io/volume-managed-by=[\\\"x\\\"]",
			"LABEL opensandbox.io/egress-auth-token=stale", "LABEL opensandbox.io/egress-sidecar-for="+s.ID, "LABEL maintainer=somebody",
			"ENV EXECD_ACCESS_TOKEN_SHA256=stale", "ENV OPENSANDBOX_ID=stale")
		instance, err := r.Create(t.Context(), s)
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Delete(context.Background(), s.ID)) }()
		require.True(t, instance.Seed.ExpiresAt.IsZero())
		require.Empty(t, instance.Seed.Metadata)
		c, err := cli.ContainerInspect(t.Context(), "sandbox-"+s.ID)
		require.NoError(t, err)
		require.Empty(t, c.Config.Labels[LabelEgressToken])
		require.Empty(t, managedVolumes(c.Config.Labels))
		require.NotContains(t, strings.Join(c.Config.Env, " "), "stale")
	})
}

func TestTwentyParallelCreates(t *testing.T) {
	r := open(t, nil)
	var wg sync.WaitGroup
	errs := make([]error, 20)
	addresses := make([]string, 20)
	for i := range errs {
		wg.Go(func() {
			instance, err := r.Create(t.Context(), spec(uuid.NewString()))
			errs[i], addresses[i] = err, instance.Address.String()
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, err := range errs {
		require.NoError(t, err)
		require.False(t, seen[addresses[i]], "two sandboxes at %s", addresses[i])
		seen[addresses[i]] = true
	}
	list, err := r.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 20)
}

func TestBadInputNeverReachesTheEngine(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	proxy.Reset()
	change := func(f func(*lifecycle.Spec)) lifecycle.Spec { s := spec(uuid.NewString()); f(&s); return s }
	for name, s := range map[string]lifecycle.Spec{
		"image path":       change(func(s *lifecycle.Spec) { s.Image = "../containers/x" }),
		"image dots":       change(func(s *lifecycle.Spec) { s.Image = ".." }),
		"image upper case": change(func(s *lifecycle.Spec) { s.Image = "UPPER/x" }),
		"image URL":        change(func(s *lifecycle.Spec) { s.Image = "http://registry/x" }),
		"image metadata":   change(func(s *lifecycle.Spec) { s.Image = "169.254.169.254/x" }),
		"image empty":      change(func(s *lifecycle.Spec) { s.Image = "" }),
		"entrypoint":       change(func(s *lifecycle.Spec) { s.Entrypoint = []string{"sh -c 'x"} }),
		"entrypoint empty": change(func(s *lifecycle.Spec) { s.Entrypoint = nil }),
		"env reserved":     change(func(s *lifecycle.Spec) { s.Env = []lifecycle.EnvVar{{Name: "OPENSANDBOX_ID", Value: "x"}} }),
		"env name":         change(func(s *lifecycle.Spec) { s.Env = []lifecycle.EnvVar{{Name: "A=B", Value: "x"}} }),
		"platform":         change(func(s *lifecycle.Spec) { s.Platform = &lifecycle.Platform{OS: "windows", Arch: "amd64"} }),
		"arch":             change(func(s *lifecycle.Spec) { s.Platform = &lifecycle.Platform{OS: "linux", Arch: "mips"} }),
		"metadata":         change(func(s *lifecycle.Spec) { s.Metadata = map[string]string{"a": "\x00"} }),
	} {
		_, err := r.Create(t.Context(), s)
		var typed *apierror.Error
		require.ErrorAs(t, err, &typed, name)
		require.Equal(t, http.StatusBadRequest, typed.Status, name)
	}
	_, err := r.Create(t.Context(), change(func(s *lifecycle.Spec) { s.ID = "../x" }))
	require.Error(t, err)
	_, err = r.Inspect(t.Context(), "../images/x")
	require.ErrorIs(t, err, lifecycle.ErrNotFound)
	require.NoError(t, r.Delete(t.Context(), "../images/x"))
	require.Empty(t, proxy.Requests())
}

func TestImpossibleLimitsAreTheClients(t *testing.T) {
	r := open(t, nil)
	for name, limits := range map[string]lifecycle.Limits{"cpu": {NanoCPUs: 1e15}, "memory": {MemoryBytes: 1}, "gpu": {GPUs: 1}} {
		s := spec(uuid.NewString())
		s.Limits = limits
		_, err := r.Create(t.Context(), s)
		typed := requireCode(t, err, http.StatusBadRequest, "SANDBOX::INVALID_PARAMETER")
		require.Contains(t, typed.Message, "resourceLimits."+name)
		require.NoError(t, r.Delete(t.Context(), s.ID))
	}
}

func TestLostAnswersLeaveNothingAfterDelete(t *testing.T) {
	for name, match := range map[string]enginetest.Match{"create": enginetest.CreateContainer, "start": enginetest.StartContainer} {
		t.Run(name, func(t *testing.T) {
			proxy := enginetest.Start(t)
			r := open(t, func(o *Options) { o.Host = proxy.Host() })
			proxy.Fault(enginetest.Fault{Match: match, Nth: 1, Do: enginetest.DropAnswer})
			s := spec(uuid.NewString())
			_, err := r.Create(t.Context(), s)
			var typed *apierror.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, http.StatusServiceUnavailable, typed.Status)
			require.NoError(t, r.Delete(t.Context(), s.ID))
			list, err := r.List(t.Context())
			require.NoError(t, err)
			require.Empty(t, list)
		})
	}
}

func TestSlowEngineIsATypedTimeout(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host, o.APITimeout = proxy.Host(), 3*time.Second })
	proxy.Fault(enginetest.Fault{Match: enginetest.ListContainers, Do: enginetest.Hold})
	_, err := r.List(t.Context())
	typed := requireCode(t, err, http.StatusInternalServerError, "DOCKER::SANDBOX_QUERY_FAILED")
	require.Contains(t, typed.Message, "docker.api_timeout")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// requireAnswers waits until a web server answers with 200.
func requireAnswers(t *testing.T, url string) {
	t.Helper()
	c := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		answer, err := c.Get(url)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		return answer.StatusCode == http.StatusOK
	}, waitFor, 20*time.Millisecond, url)
}
