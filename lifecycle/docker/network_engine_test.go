//go:build docker

package docker

import (
	"context"
	"net/http"
	"testing"

	dockernetwork "github.com/docker/docker/api/types/network"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
)

func TestNetworks(t *testing.T) {
	cli := engineClient(t)
	name := "Edge-Test-" + uuid.NewString()[:8]
	_, err := cli.NetworkCreate(t.Context(), name, dockernetwork.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = cli.NetworkRemove(context.Background(), name) })

	r := open(t, func(o *Options) { o.NetworkMode = name })
	s := spec(uuid.NewString())
	instance, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	c, err := cli.ContainerInspect(t.Context(), instance.BackendID)
	require.NoError(t, err)
	require.Equal(t, c.NetworkSettings.Networks[name].IPAddress, instance.Address.String())
	require.NoError(t, r.Delete(t.Context(), s.ID))

	// Somebody removes the network while the server runs: the client is told what is missing.
	require.NoError(t, cli.NetworkRemove(t.Context(), name))
	s = spec(uuid.NewString())
	_, err = r.Create(t.Context(), s)
	refusal := requireCode(t, err, http.StatusBadRequest, "SANDBOX::INVALID_PARAMETER")
	require.Contains(t, refusal.Message, name)
	require.NoError(t, r.Delete(t.Context(), s.ID))

	_, err = New(t.Context(), Options{Instance: "x", ExecdImage: execdImage(), NetworkMode: name + "-absent"})
	typed := requireCode(t, err, http.StatusServiceUnavailable, "DOCKER::INITIALIZATION_ERROR")
	require.Contains(t, typed.Message, name+"-absent")
}

func TestPublishedPorts(t *testing.T) {
	r, cli := open(t, func(o *Options) { o.Publish = true }), engineClient(t)
	s := spec(uuid.NewString())
	s.Entrypoint = []string{"/usr/bin/demo-web"}
	instance, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	require.Len(t, instance.Published, 2)
	c, err := cli.ContainerInspect(t.Context(), instance.BackendID)
	require.NoError(t, err)
	for port, label := range map[uint16]string{44772: LabelProxyPort, 8080: LabelHTTPPort} {
		require.True(t, instance.Published[port].Addr().IsLoopback())
		require.Equal(t, c.Config.Labels[label], formatPort(instance.Published[port].Port()))
	}
	requireAnswers(t, "http://"+instance.Published[8080].String()+"/healthz")

	list, err := r.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, instance.Published, list[0].Published)
}

func TestTakenPortIsReplaced(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host, o.Publish = proxy.Host(), true })
	proxy.Reset()
	proxy.Fault(enginetest.Fault{
		Match: enginetest.StartContainer, Nth: 1, Do: enginetest.Answer, Status: http.StatusInternalServerError,
		Body: `{"message":"driver failed programming external connectivity: Bind for 127.0.0.1:40001 failed: port is already allocated"}`,
	})
	_, err := r.Create(t.Context(), spec(uuid.NewString()))
	require.NoError(t, err)
	require.Len(t, proxy.Requests(enginetest.CreateContainer), 2)
}
