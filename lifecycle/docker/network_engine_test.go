//go:build docker

package docker

import (
	"context"
	"net/http"
	"sync"
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
	t.Cleanup(func() { require.NoError(t, cli.NetworkRemove(context.Background(), name)) })

	r := open(t, func(o *Options) { o.NetworkMode = name })
	s := spec(uuid.NewString())
	instance, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	c, err := cli.ContainerInspect(t.Context(), instance.BackendID)
	require.NoError(t, err)
	require.Equal(t, c.NetworkSettings.Networks[name].IPAddress, instance.Address.String())
	require.NoError(t, r.Delete(t.Context(), s.ID))

	_, err = New(t.Context(), Options{Instance: "x", ExecdImage: execdImage(), NetworkMode: name + "-absent"})
	typed := requireCode(t, err, http.StatusServiceUnavailable, "DOCKER::INITIALIZATION_ERROR")
	require.Contains(t, typed.Message, name+"-absent")
}

func TestHostNetworkTakesOne(t *testing.T) {
	r := open(t, func(o *Options) { o.NetworkMode = networkHost })
	ids := []string{uuid.NewString(), uuid.NewString(), uuid.NewString()}
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { _, errs[i] = r.Create(t.Context(), spec(id)) })
	}
	wg.Wait()
	winners := 0
	for i, err := range errs {
		if err == nil {
			winners++
			continue
		}
		requireCode(t, err, http.StatusConflict, "DOCKER::HOST_NETWORK_IN_USE")
		require.NoError(t, r.Delete(t.Context(), ids[i]))
	}
	require.Equal(t, 1, winners)
	list, err := r.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "127.0.0.1", list[0].Address.String())
	require.NoError(t, r.Delete(t.Context(), list[0].ID))
	_, err = r.Create(t.Context(), spec(uuid.NewString()))
	require.NoError(t, err, "the network is free again")
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
