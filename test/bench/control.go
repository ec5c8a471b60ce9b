package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/netip"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/feed"
	"github.com/opensandbox-edge/edge/secret"
)

// apiKey is the control server's; nothing but loopback ever sees it.
const apiKey = "benchmark-key-0123456789"

// The ports of every sandbox here, and what answers on them.
const (
	portSmall   = 8080
	portStreams = 8081
)

// control is a lifecycle server without containers: it tells gateways of sandboxes over the
// real feed. Each has an address as a container or Pod has, and the one that requests are
// for has its ports on loopback, where something answers.
type control struct {
	directory lifecycle.Directory
	feed      *feed.Server
	server    *http.Server
	url       string
}

func sandboxID(n int) string { return fmt.Sprintf("0a1b2c3d-4e5f-6071-8293-%012x", n) }

func serveControl(sandboxes, served int, ports map[uint16]netip.AddrPort) (*control, error) {
	c := &control{}
	for n := range sandboxes {
		e := lifecycle.Entry{
			ID: sandboxID(n), BackendID: fmt.Sprintf("%064x", n), State: lifecycle.Running,
			Address: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}),
		}
		token := sha256.Sum256([]byte(e.ID))
		e.ExecdTokenSum = &token
		if n == served {
			e.Published = ports
		}
		if _, err := c.directory.Publish(e); err != nil {
			return nil, err
		}
	}
	table, err := route.NewTable(route.Settings{})
	if err != nil {
		return nil, err
	}
	admission, err := auth.New(auth.Options{Table: table, Keys: auth.NewKeys(auth.Key{Name: "bench", Value: secret.New(apiKey)})})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c.feed = feed.NewServer(feed.ServerOptions{Service: c})
	c.url = "http://" + l.Addr().String()
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, refused := admission.Admit(w, r)
		if refused != nil {
			admission.Refuse(w, r, refused)
			return
		}
		c.feed.ServeHTTP(w, admitted)
	})}
	go func() { _ = c.server.Serve(l) }()
	return c, nil
}

func (c *control) close() {
	c.feed.Close()
	_ = c.server.Close()
}

// Directory implements feed.Service.
func (c *control) Directory() *lifecycle.Directory { return &c.directory }

// Confirm implements feed.Service.
func (c *control) Confirm(context.Context, *lifecycle.Entry) error { return nil }

// NotFound implements feed.Service.
func (c *control) NotFound(id string) *apierror.Error {
	return apierror.New(http.StatusNotFound, "BENCH::SANDBOX_NOT_FOUND", "Sandbox %s does not exist.", id)
}

// RuntimeName implements feed.Service.
func (c *control) RuntimeName() string { return "docker" }
