package docker

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
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

	r.opts.HostAddress = netip.MustParseAddr("172.17.0.1")
	require.Equal(t, netip.MustParseAddrPort("172.17.0.1:5"), r.published([]container.Port{{IP: "0.0.0.0", PrivatePort: 80, PublicPort: 5, Type: "tcp"}})[80])
	r.engine.remote = netip.MustParseAddr("10.1.1.1")
	require.Equal(t, netip.MustParseAddrPort("10.1.1.1:5"), r.published([]container.Port{{IP: "0.0.0.0", PrivatePort: 80, PublicPort: 5, Type: "tcp"}})[80])
}

func TestPlaceOnTheHostsNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		remote, host string
		want         string
	}{
		"here":          {"", "", "127.0.0.1:41234"},
		"other machine": {"10.1.1.1", "172.17.0.1", "10.1.1.1:41234"},
		"in container":  {"", "172.17.0.1", "172.17.0.1:41234"},
	} {
		r := &Runtime{engine: &engine{}}
		r.engine.remote, _ = netip.ParseAddr(c.remote)
		r.opts.HostAddress, _ = netip.ParseAddr(c.host)
		var in lifecycle.Instance
		r.place(&in, "host", nil, nil, map[string]string{LabelExecdPort: "41234"})
		require.True(t, in.SharesHost, name)
		require.Equal(t, map[uint16]netip.AddrPort{44772: netip.MustParseAddrPort(c.want)}, in.Published, name)
		require.Equal(t, in.Published[44772].Addr(), in.Address, name)
		require.Equal(t, in.Address, r.execdAddress(), "execd listens where it is dialled and nowhere else")
		r.opts.Publish = true
		require.True(t, r.execdAddress().IsUnspecified(), "clients are to reach it")
	}
	for _, label := range []string{"", "0", "70000", "x", "-1"} {
		var in lifecycle.Instance
		(&Runtime{engine: &engine{}}).place(&in, "host", nil, nil, map[string]string{LabelExecdPort: label})
		require.True(t, in.SharesHost)
		require.Empty(t, in.Published, "%q: a sandbox of the reference must not be led to whoever has the usual port", label)
	}
}

func TestPlaceWhereAddressesAreOutOfReach(t *testing.T) {
	networks := map[string]*network.EndpointSettings{"bridge": {IPAddress: "172.17.0.2"}}
	ports := []container.Port{{IP: "127.0.0.1", PrivatePort: 44772, PublicPort: 41234, Type: "tcp"}}
	no, yes := false, true
	for name, c := range map[string]struct {
		reach   Reach
		outcome *bool
		ports   []container.Port
		address bool
	}{
		"not tried yet":        {ReachAuto, nil, ports, true},
		"reached":              {ReachAuto, &yes, ports, true},
		"not reached":          {ReachAuto, &no, ports, false},
		"nothing is published": {ReachAuto, &no, nil, true},
		"the operator says":    {ReachPublished, nil, ports, false},
		"the other way":        {ReachAddress, &no, ports, true},
	} {
		r := &Runtime{engine: &engine{}, opts: Options{Reach: c.reach}}
		r.probe.outcome.Store(c.outcome)
		var in lifecycle.Instance
		r.place(&in, "bridge", networks, c.ports, nil)
		require.Equal(t, c.address, in.Address.IsValid(), name)
		require.Len(t, in.Published, len(c.ports), name)
		require.False(t, in.SharesHost, name)
	}
}

func TestChosenPorts(t *testing.T) {
	six := netip.MustParseAddr("::1")
	for name, c := range map[string]struct {
		opts    Options
		via     bool
		port    string // of the binding of 44772
		labels  bool
		private bool
	}{
		"nothing":               {Options{NetworkMode: "bridge"}, false, "", false, false},
		"assigned":              {Options{NetworkMode: "bridge"}, true, "41000-41999", false, false},
		"for clients":           {Options{NetworkMode: "bridge", Publish: true}, false, "41...", true, false},
		"for clients and us":    {Options{NetworkMode: "net", Publish: true}, true, "41...", true, false},
		"host":                  {Options{NetworkMode: "host"}, false, "", false, true},
		"host has no bindings":  {Options{NetworkMode: "host", Publish: true}, true, "", false, true},
		"on an IPv6 address":    {Options{NetworkMode: "bridge", PublishAddress: six}, true, "41000-41999", false, false},
		"on every IPv6 address": {Options{NetworkMode: "bridge", PublishAddress: netip.IPv6Unspecified(), Publish: true}, false, "41...", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Ports = hostport.Range{Min: 41000, Max: 41999}
			if !c.opts.PublishAddress.IsValid() {
				c.opts.PublishAddress = loopback
			}
			r := &Runtime{engine: &engine{}, opts: c.opts}
			h, err := r.choosePorts(c.via)
			require.NoError(t, err)
			defer h.release()
			config, host := &container.Config{Labels: map[string]string{}}, &container.HostConfig{}
			h.apply(config, host)
			if c.port == "" {
				require.Empty(t, host.PortBindings)
			} else {
				require.Len(t, host.PortBindings, 2)
				binding := host.PortBindings["44772/tcp"][0]
				require.Regexp(t, "^"+c.port+"$", binding.HostPort)
				require.Equal(t, c.opts.PublishAddress.String(), binding.HostIP)
				if c.labels {
					require.Equal(t, binding.HostPort, config.Labels[LabelProxyPort])
					require.Equal(t, host.PortBindings["8080/tcp"][0].HostPort, config.Labels[LabelHTTPPort])
				}
			}
			require.Equal(t, c.labels, config.Labels[LabelProxyPort] != "")
			require.Equal(t, c.private, config.Labels[LabelExecdPort] != "")
			require.Contains(t, config.Env, "OPENSANDBOX_EXECD_PORT="+config.Labels[LabelExecdPort], "blank against an image's own")
			require.Equal(t, c.private, !slices.Contains(config.Env, "OPENSANDBOX_EXECD_HOST="))
		})
	}
}

func TestTakenPorts(t *testing.T) {
	chosen := &hostPorts{hold: &hostport.Hold{Ports: []uint16{1, 2}}}
	for text, taken := range map[string]bool{
		"Bind for 127.0.0.1:40001 failed: port is already allocated":                                   true,
		"Error starting userland proxy: listen tcp4 0.0.0.0:40001: bind: address already in use: port": true,
		"Ports are not available: exposing port TCP 0.0.0.0:40001":                                     true,
		"an attempt was made to access a socket in a way forbidden by its access permissions: port":    true,
		"expose port: permission denied":                                                               true,
		"no space left on device":                                                                      false,
		"permission denied":                                                                            false,
	} {
		require.Equal(t, taken, chosen.taken(errors.New(text)), text)
		require.Equal(t, taken, (&hostPorts{assigned: "1-2"}).taken(errors.New(text)), text)
		require.False(t, (&hostPorts{}).taken(errors.New(text)), "nothing was published: "+text)
	}
	require.False(t, chosen.taken(nil))
	require.False(t, (*hostPorts)(nil).taken(errors.New("port is already allocated")))
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
