package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
)

// edgeOptions say what differs from a gateway with everything at its default and access
// logs off.
type edgeOptions struct {
	name            string
	sandboxes       int // default 1000
	port            int // of the sandbox that requests are for; default portSmall
	ingress, server string
}

// edge is the real server as a gateway. Its control server lives as long as it does.
func (b *bench) edge(ctx context.Context, o edgeOptions) (rival, error) {
	ports := map[uint16]netip.AddrPort{
		portSmall:   netip.MustParseAddrPort(b.small.address),
		portStreams: netip.MustParseAddrPort(b.stream.address),
	}
	n := cmp.Or(o.sandboxes, 1000)
	served := n / 2 // not the first and not the last
	c, err := serveControl(n, served, ports)
	if err != nil {
		return rival{}, err
	}
	at := netip.MustParseAddrPort(freeAddress())
	config := fmt.Sprintf(`[server]
host = %q
port = %d
api_key = %q
%s
[log]
access_enabled = false
level = "ERROR"
[ingress]
mode = "gateway"
gateway.address = "127.0.0.1"
gateway.route.mode = "header"
%s
[control]
url = %q
api_key = %q
`, at.Addr(), at.Port(), apiKey, o.server, o.ingress, c.url, apiKey)
	p, err := spawnWith(ctx, b.dir, "edge", at.String(), "sandbox.toml", config, nil,
		tool("opensandbox-server"), "--config", "sandbox.toml")
	if err != nil {
		c.close()
		return rival{}, err
	}
	p.after = c.close
	r := rival{
		name: o.name, address: at.String(), process: p,
		headers: map[string]string{"OpenSandbox-Ingress-To": fmt.Sprintf("%s-%d", sandboxID(served), cmp.Or(o.port, portSmall))},
	}
	if err := knowsSandbox(ctx, r); err != nil {
		p.stop()
		return rival{}, err
	}
	return r, nil
}

// knowsSandbox waits until the gateway has heard of all sandboxes.
func knowsSandbox(ctx context.Context, r rival) error {
	var last string
	err := waitFor(ctx, func() bool {
		req, err := r.request(ctx, http.MethodGet, "/v1/status", nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			last = err.Error()
			return false
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		last = res.Status + " " + string(body)
		return res.StatusCode == http.StatusOK
	})
	if err != nil {
		return errors.New("the edge does not serve the sandbox: " + last)
	}
	return nil
}
