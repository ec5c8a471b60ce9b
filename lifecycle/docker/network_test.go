package docker

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestAddress(t *testing.T) {
	r := &Runtime{}
	net := func(addresses ...string) map[string]*network.EndpointSettings {
		out := map[string]*network.EndpointSettings{}
		for i := 0; i < len(addresses); i += 2 {
			out[addresses[i]] = &network.EndpointSettings{IPAddress: addresses[i+1]}
		}
		return out
	}
	require.Equal(t, netip.MustParseAddr("172.17.0.2"), r.address("bridge", net("other", "10.0.0.2", "bridge", "172.17.0.2")))
	require.Equal(t, netip.MustParseAddr("172.17.0.2"), r.address("default", net("bridge", "172.17.0.2")))
	require.Equal(t, netip.MustParseAddr("10.0.0.2"), r.address("MyNet", net("MyNet", "10.0.0.2")))
	require.Equal(t, netip.MustParseAddr("10.0.0.2"), r.address("bridge", net("bridge", "", "other", "10.0.0.2")))
	require.Equal(t, loopback, r.address("host", net("host", "")))
	v6 := map[string]*network.EndpointSettings{"v6": {GlobalIPv6Address: "fd12::2"}}
	require.Equal(t, netip.MustParseAddr("fd12::2"), r.address("v6", v6))
	for _, refused := range []string{"", "127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "100.100.100.200", "nonsense"} {
		require.False(t, r.address("bridge", net("bridge", refused)).IsValid(), refused)
	}
	require.False(t, r.address("bridge", nil).IsValid())
	require.False(t, r.address("bridge", map[string]*network.EndpointSettings{"bridge": nil}).IsValid())
}

func TestPublished(t *testing.T) {
	r := &Runtime{engine: &engine{}}
	got := r.published([]container.Port{
		{IP: "::", PrivatePort: 44772, PublicPort: 41234, Type: "tcp"},
		{IP: "0.0.0.0", PrivatePort: 44772, PublicPort: 41234, Type: "tcp"},
		{IP: "192.168.1.5", PrivatePort: 8080, PublicPort: 52345, Type: "tcp"},
		{IP: "0.0.0.0", PrivatePort: 53, PublicPort: 53, Type: "udp"},
		{PrivatePort: 9000, Type: "tcp"},
		{IP: "nonsense", PrivatePort: 1, PublicPort: 2, Type: "tcp"},
	})
	require.Equal(t, map[uint16]netip.AddrPort{
		44772: netip.MustParseAddrPort("127.0.0.1:41234"), 8080: netip.MustParseAddrPort("192.168.1.5:52345"),
	}, got)
	require.Nil(t, r.published(nil))

	r.engine.remote = netip.MustParseAddr("10.1.1.1")
	require.Equal(t, netip.MustParseAddrPort("10.1.1.1:5"), r.published([]container.Port{{IP: "0.0.0.0", PrivatePort: 80, PublicPort: 5, Type: "tcp"}})[80])
}

func TestSidecarAddressOnlyFromTheOwnSidecar(t *testing.T) {
	r := &Runtime{engine: &engine{}}
	r.log = runtimeWith(t, Options{}).log
	sandbox := container.Summary{ID: "a", State: "running", Labels: map[string]string{LabelID: testID}}
	sandbox.HostConfig.NetworkMode = "container:side"
	side := container.Summary{
		ID: "side", Labels: map[string]string{LabelSidecarFor: testID},
		NetworkSettings: &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{"bridge": {IPAddress: "172.17.0.9"}}},
		Ports:           []container.Port{{IP: "0.0.0.0", PrivatePort: 44772, PublicPort: 40001, Type: "tcp"}},
	}
	side.HostConfig.NetworkMode = "bridge"
	got := r.fromSummary(testID, sandbox, map[string]container.Summary{"side": side})
	require.Equal(t, netip.MustParseAddr("172.17.0.9"), got.Address)
	require.Len(t, got.Published, 1)

	side.Labels = map[string]string{LabelSidecarFor: "another"}
	for _, sidecars := range []map[string]container.Summary{nil, {"side": side}} {
		got := r.fromSummary(testID, sandbox, sidecars)
		require.False(t, got.Address.IsValid(), "a foreign container's address must not be handed out")
		require.Empty(t, got.Published)
	}
}

func TestNamedAndClaimed(t *testing.T) {
	name := []string{"/sandbox-" + testID}
	for owner, takers := range map[string][]Adopt{
		"me":  {AdoptAll, AdoptOwn, AdoptUnclaimed},
		"":    {AdoptAll, AdoptUnclaimed},
		"you": {AdoptAll},
	} {
		for _, adopt := range []Adopt{AdoptAll, AdoptOwn, AdoptUnclaimed} {
			r := &Runtime{opts: Options{Instance: "me", Adopt: adopt}}
			require.Equal(t, slices.Contains(takers, adopt), r.claims(map[string]string{LabelID: testID, LabelInstance: owner}), "%s of %q", adopt, owner)
		}
	}
	require.True(t, (&Runtime{opts: Options{Instance: "me", Adopt: AdoptUnclaimed}}).claims(map[string]string{LabelID: testID}), "the reference writes no instance")
	require.True(t, named(testID, name, map[string]string{LabelID: testID}))
	require.False(t, named(testID, []string{"/postgres"}, map[string]string{LabelID: testID, LabelInstance: "me"}))
	require.False(t, named(testID, name, nil))
	require.False(t, named("x", []string{"/sandbox-x"}, map[string]string{LabelID: "x"}))
}

func TestTranslateEvents(t *testing.T) {
	r := &Runtime{opts: Options{Instance: "me", Adopt: AdoptOwn}, execd: &execdSource{}}
	r.log = runtimeWith(t, Options{}).log
	event := func(kind, action string) (e engineEvent) {
		e.Type, e.Action, e.TimeNano = kind, action, 1_700_000_000_000_000_000
		e.Actor.ID = "c1"
		e.Actor.Attributes = map[string]string{LabelID: testID, LabelInstance: "me", "name": "sandbox-" + testID}
		return e
	}
	for action, want := range map[string]lifecycle.EventType{
		"start": lifecycle.EventStarted, "pause": lifecycle.EventPaused, "unpause": lifecycle.EventResumed, "die": lifecycle.EventStopped, "destroy": lifecycle.EventRemoved,
	} {
		got, ok := r.translate(event("container", action))
		require.True(t, ok, action)
		require.Equal(t, want, got.Type)
		require.Equal(t, testID, got.ID)
		require.Equal(t, "c1", got.BackendID)
		require.EqualValues(t, 1_700_000_000, got.At.Unix())
	}
	for _, ignored := range []engineEvent{event("container", "exec_start"), event("image", "start"), {}} {
		_, ok := r.translate(ignored)
		require.False(t, ok)
	}
	foreign := event("container", "start")
	foreign.Actor.Attributes[LabelInstance] = "you"
	_, ok := r.translate(foreign)
	require.False(t, ok)

	renamed := event("container", "die")
	renamed.Actor.Attributes["name"] = "x"
	_, ok = r.translate(renamed)
	require.True(t, ok, "a renamed container is not heard")

	for action, want := range map[string]lifecycle.EventType{"connect": lifecycle.EventAttached, "disconnect": lifecycle.EventDetached} {
		network := engineEvent{Type: "network", Action: action}
		network.Actor.Attributes = map[string]string{"container": strings.Repeat("c", 64)}
		got, ok := r.translate(network)
		require.True(t, ok, action)
		require.Equal(t, want, got.Type)
		require.Empty(t, got.ID)
		require.Equal(t, strings.Repeat("c", 64), got.BackendID)
		delete(network.Actor.Attributes, "container")
		_, ok = r.translate(network)
		require.False(t, ok)
	}

	r.execd.ready.Store(&execdFiles{volume: "opensandbox_execd.x"})
	other := engineEvent{Type: "volume", Action: "destroy"}
	other.Actor.ID = "data"
	_, ok = r.translate(other)
	require.False(t, ok)
	require.NotNil(t, r.execd.ready.Load())
	other.Actor.ID = "opensandbox_execd.x"
	_, ok = r.translate(other)
	require.False(t, ok)
	require.Nil(t, r.execd.ready.Load(), "a removed volume is filled again before the next create")
}

func TestCallNames(t *testing.T) {
	for _, c := range []struct{ method, path, want string }{
		{"POST", "/v1.41/containers/create", "container_create"},
		{"GET", "/v1.41/containers/json", "container_list"},
		{"GET", "/v1.41/containers/sandbox-x/json", "container_inspect"},
		{"POST", "/v1.41/containers/x/start", "container_start"},
		{"DELETE", "/v1.41/containers/x", "container_remove"},
		{"PUT", "/v1.41/containers/x/archive", "container_upload"},
		{"GET", "/v1.41/containers/x/archive", "container_download"},
		{"GET", "/v1.41/images/registry.io/a/b:c/json", "image_inspect"},
		{"POST", "/v1.41/images/create", "image_create"},
		{"GET", "/v1.41/volumes/x", "volume_inspect"},
		{"DELETE", "/v1.41/volumes/x", "volume_remove"},
		{"GET", "/v1.41/networks/x", "network_inspect"},
		{"GET", "/v1.41/events", "event"},
		{"HEAD", "/_ping", "ping"},
		{"GET", "/v1.41/info", "info"},
		{"GET", "/base/v1.41/info", "info"},
		{"GET", "/somewhere", "other"},
	} {
		require.Equal(t, c.want, callName(c.method, c.path), c.path)
	}
}
