package caddymodule

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle/docker"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
)

// create asks for a sandbox and returns the answer.
func (r *rig) create(image string) answer {
	r.t.Helper()
	body := fmt.Sprintf(`{"image":{"uri":%q},"entrypoint":["sleep","60"],"timeout":600,"resourceLimits":{}}`, image)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.addr+"/v1/sandboxes", strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("OPEN-SANDBOX-API-KEY", testKey)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return answer{resp.StatusCode, resp.Header, string(got)}
}

func TestRegistriesOfTheFileDecide(t *testing.T) {
	r := newRig(t)
	r.load(r.toml(testKey, "[image]\nallowed_registries = [\"b.example.com\"]\ndenied_registries = [\"b.example.com\"]"))
	for _, image := range []string{"b.example.com/x:1", "c.example.com/x:1"} {
		got := r.create(image)
		require.Contains(t, []int{http.StatusBadRequest, http.StatusForbidden}, got.status, got.body)
		require.Contains(t, strings.ToLower(got.body), "registr", "%s", image)
	}
}

// Endpoints on published ports name a host that clients can reach (contract 02 §7.3).
func TestPublishedHostIsForClients(t *testing.T) {
	c := &config.Config{}
	c.Server.Host, c.Docker.HostIP, c.Docker.Publish = "0.0.0.0", "host.docker.internal", true
	c.Server.EIP = "https://edge.example.com:8443/base"
	require.Equal(t, "edge.example.com", addresses(c, nil).PublishedHost)
	c.Server.EIP = ""
	require.NotEmpty(t, addresses(c, nil).PublishedHost)
	c.Server.Host = "192.0.2.7"
	require.Equal(t, "192.0.2.7", addresses(c, nil).PublishedHost)
	c.Docker.Publish = false
	require.Empty(t, addresses(c, nil).PublishedHost)
}

// With require_access = "key" SDKs reach the daemon by its own token: they send no key on
// sandbox routes. A daemon that has no token needs the key.
func TestDaemonWithItsTokenNeedsNoKey(t *testing.T) {
	for _, token := range []bool{true, false} {
		t.Run(fmt.Sprint("token ", token), func(t *testing.T) {
			r := newRig(t)
			path := r.toml(testKey)
			edit(t, path, "[server]", fmt.Sprintf("[server]\nrequire_access = \"key\"\nexecd_access_token = %t", token))
			daemonServer := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			defer daemonServer.Close()
			r.fake.Published = map[uint16]netip.AddrPort{44772: netip.MustParseAddrPort(daemonServer.Listener.Addr().String())}
			r.load(path)
			created := r.create("demo")
			require.Equal(t, http.StatusAccepted, created.status, created.body)
			_, id, _ := strings.Cut(created.body, `"id":"`)
			id, _, _ = strings.Cut(id, `"`)
			daemon := "/sandboxes/" + id + "/proxy/44772/command"

			got := r.do(http.MethodGet, daemon)
			require.Equal(t, http.StatusUnauthorized, got.status)
			require.Contains(t, got.body, map[bool]string{true: "MISSING_EXECD_ACCESS_TOKEN", false: "MISSING_API_KEY"}[token])
			require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/sandboxes/"+id+"/proxy/80/").status, "other ports need the key")

			pass := keyHeader(testKey)
			if token {
				pass = "X-EXECD-ACCESS-TOKEN: " + pooledState().edge().parts.source.(*lifecycleSource).Service.ExecdToken(id).Reveal()
			}
			require.Equal(t, http.StatusOK, r.do(http.MethodGet, daemon, pass).status)
		})
	}
}

func TestDockerOptionsOfTheFile(t *testing.T) {
	loaded, err := config.Parse(config.Options{Lookup: func(string) (string, bool) { return "", false }}, []byte(`
[runtime]
type = "docker"
execd_image = "demo"
[docker]
pids_limit = -1
share_registry_auth = false
log_max_bytes = 0
shm_size = "256Mi"
tmpfs = ["/tmp:size=1Mi"]
dns_servers = ["9.9.9.9"]
pull_policy = "always"
pull_min_free = "2Gi"
share_cached_images = false
[docker.default_limits]
memory = "99999999999999Pi"
cpu = "1500m"
`))
	require.NoError(t, err)
	o := dockerOptions(loaded.Config, nil)
	require.Equal(t, docker.ReachAuto, o.Reach)
	require.Equal(t, "127.0.0.1", o.PublishAddress.String())
	require.Equal(t, hostport.Default, o.Ports)
	require.Equal(t, docker.AdoptUnclaimed, o.Adopt)
	require.Equal(t, defaultInstance, o.Instance)
	require.EqualValues(t, -1, o.Hardening.PidsLimit)
	require.EqualValues(t, -1, o.Hardening.LogBytes)
	require.Equal(t, 3, o.Hardening.LogFiles)
	require.EqualValues(t, 256<<20, o.Hardening.ShmBytes)
	require.Zero(t, o.Hardening.StorageBytes)
	require.Equal(t, []string{"/tmp:size=1Mi"}, o.Hardening.Tmpfs)
	require.Equal(t, []string{"9.9.9.9"}, o.Hardening.DNS)
	require.EqualValues(t, math.MaxInt64, o.Hardening.DefaultMemory, "more than can be counted is no less")
	require.EqualValues(t, 15e8, o.Hardening.DefaultNanoCPUs)
	require.Equal(t, docker.PullAlways, o.PullPolicy)
	require.Equal(t, 30*time.Minute, o.PullTimeout)
	require.Equal(t, 3, o.MaxPulls)
	require.EqualValues(t, 2<<30, o.PullMinFree)
	require.True(t, o.CheckImageAccess)
	require.False(t, o.ShareRegistryAuth)
	require.False(t, o.Publish)
	loaded.Config.Docker.ShareRegistryAuth, loaded.Config.Docker.Publish = true, true
	o = dockerOptions(loaded.Config, nil)
	require.True(t, o.ShareRegistryAuth)
	require.True(t, o.Publish)
}

// Cookies reach a sandbox on a direct route only where the file asks for it; a reload decides.
func TestForwardCredentialsFollowsTheFile(t *testing.T) {
	r := newRig(t)
	port := r.place(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Cookie")) }))
	path := r.toml(testKey)
	r.load(path)
	target := fmt.Sprintf("/sandboxes/%s/proxy/%d/", sandboxID, port)
	require.Empty(t, r.do(http.MethodGet, target, "Cookie: a=b").body)
	edit(t, path, "[server]", "[server]\nforward_credentials = true")
	r.load(path)
	require.Equal(t, "a=b", r.do(http.MethodGet, target, "Cookie: a=b").body)
}
