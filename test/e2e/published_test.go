//go:build docker

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// direct runs a server without a gateway.
func direct(t *testing.T, change func(*edge.Server)) *edge.Server {
	t.Helper()
	s, err := edge.New(edge.Options{
		Binary: fromEnv(t, "EDGE_SERVER"), ExecdImg: fromEnv(t, "EDGE_EXECD_IMAGE"), DemoImage: fromEnv(t, "EDGE_DEMO_IMAGE"),
		Dir: t.TempDir(), Ingress: "# direct\n# %[1]s %[2]d\n",
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.Kill()
		require.NoError(t, s.RemoveContainers(ctx))
	})
	change(s)
	require.NoError(t, s.Start(t.Context()))
	return s
}

// follow does what a client does with an endpoint: its headers go along.
func follow(t *testing.T, e edge.Endpoint, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Endpoint+path, nil)
	require.NoError(t, err)
	for name, value := range e.Headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func pages(s *edge.Server) edge.CreateRequest {
	r := request(s)
	r.Entrypoint = []string{"/usr/bin/demo-web"}
	return r
}

// The moment a create has returned, endpoints have the shapes of contract 02 §7.3 and lead
// where they say (02 §22). When the sandbox takes no requests they lead to an answer.
func TestPublishedEndpoints(t *testing.T) {
	s := direct(t, func(s *edge.Server) {
		edit(t, s, `network_mode = "bridge"`, "network_mode = \"bridge\"\npublish = true\nport_range_min = 43000\nport_range_max = 43999")
	})
	sandbox, err := s.Create(t.Context(), pages(s))
	require.NoError(t, err)
	endpoint := func(port int) edge.Endpoint {
		e, err := s.Endpoint(t.Context(), sandbox.ID, port, "")
		require.NoError(t, err)
		return e
	}
	execd, page := label(t, sandbox.ID, "opensandbox.io/embedding-proxy-port"), label(t, sandbox.ID, "opensandbox.io/http-port")
	require.Regexp(t, `^43\d{3}$`, execd)
	require.Regexp(t, `^43\d{3}$`, page)
	require.Equal(t, "127.0.0.1:"+page, endpoint(8080).Endpoint)
	for _, port := range []int{44772, 18080, 3000} {
		require.Equal(t, fmt.Sprintf("127.0.0.1:%s/proxy/%d", execd, port), endpoint(port).Endpoint)
	}
	status, _ := follow(t, endpoint(44772), "/ping")
	require.Equal(t, http.StatusOK, status, "clients wait for this answer")
	status, body := follow(t, endpoint(44772), "/files/info?path=/")
	require.Equal(t, http.StatusOK, status, body)
	status, _ = follow(t, endpoint(8080), "/healthz")
	require.Equal(t, http.StatusOK, status)

	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+sandbox.ID+"/pause", nil, nil))
	for _, port := range []int{44772, 8080, 3000} {
		e := endpoint(port)
		require.True(t, strings.HasPrefix(e.Endpoint, s.Addr+"/"), "%s would hang", e.Endpoint)
		status, body := follow(t, e, "/")
		require.Equal(t, http.StatusConflict, status)
		require.Contains(t, body, "DOCKER::SANDBOX_NOT_RUNNING")
	}
	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+sandbox.ID+"/resume", nil, nil))
	require.Equal(t, "127.0.0.1:"+page, endpoint(8080).Endpoint)
	docker(t, "kill", "sandbox-"+sandbox.ID)
	eventually(t, func() error {
		if status, _ := follow(t, endpoint(44772), "/ping"); status != http.StatusConflict {
			return errNotYet
		}
		return nil
	})
}

// Where addresses are out of reach, every port has an endpoint through the server that
// works: two by ports that the engine assigned, all others by way of execd.
func TestEndpointsWithoutAWayToAddresses(t *testing.T) {
	s := direct(t, func(s *edge.Server) {
		edit(t, s, `reach = "address"`, `reach = "published"`)
	})
	sandbox, err := s.Create(t.Context(), pages(s))
	require.NoError(t, err)
	require.Empty(t, label(t, sandbox.ID, "opensandbox.io/http-port"), "no client is to come here")
	for port, path := range map[int]string{44772: "/ping", 8080: "/healthz"} {
		e, err := s.Endpoint(t.Context(), sandbox.ID, port, "")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%s/v1/sandboxes/%s/proxy/%d", s.Addr, sandbox.ID, port), e.Endpoint)
		status, _ := follow(t, e, path)
		require.Equal(t, http.StatusOK, status, port)
	}
	token, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
	require.NoError(t, err)
	_, err = s.Route(edge.Direct, sandbox.ID, 44772, token.Headers["X-EXECD-ACCESS-TOKEN"]).Command(t.Context(),
		`printf '#!/bin/sh\nread line; printf "HTTP/1.1 302 Found\\r\\nLocation: /there\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nhi"\n' > /tmp/serve; chmod +x /tmp/serve; nc -ll -p 3000 -e /tmp/serve </dev/null >/dev/null 2>&1 &`)
	require.NoError(t, err)
	e, err := s.Endpoint(t.Context(), sandbox.ID, 3000, "")
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(e.Endpoint, "/sandboxes/"+sandbox.ID+"/proxy/44772/proxy/3000"), e.Endpoint)
	eventually(t, func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Endpoint+"/", nil)
		require.NoError(t, err)
		for name, value := range e.Headers {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusFound {
			return errNotYet
		}
		_, path, _ := strings.Cut(e.Endpoint, "/")
		require.Equal(t, "/"+path+"/there", res.Header.Get("Location"), "a redirect stays below the endpoint")
		return nil
	})
	status, body, err := s.Route(edge.Direct, sandbox.ID, 3000, "").Read(t.Context(), http.MethodGet, "/", nil, "")
	require.NoError(t, err)
	require.Equal(t, http.StatusBadGateway, status, body)
}

// Most servers here are told how to reach sandboxes. One that is not finds out, once, and
// whoever creates first waits for it.
func TestTheWayToSandboxesIsTriedOnce(t *testing.T) {
	s := direct(t, func(s *edge.Server) { edit(t, s, `reach = "address"`, "") })
	for range 2 {
		sandbox, token := create(t, s, pages(s))
		_, err := s.Route(edge.Direct, sandbox.ID, 44772, token).Command(t.Context(), "true")
		require.NoError(t, err)
		require.Empty(t, label(t, sandbox.ID, "opensandbox.io/http-port"))
	}
	require.Equal(t, 1, strings.Count(s.Log(), "sandboxes are reached at their addresses"), s.Log())
	auxiliaries, err := s.Auxiliaries(t.Context())
	require.NoError(t, err)
	require.Empty(t, auxiliaries)
}
