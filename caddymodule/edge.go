package caddymodule

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/isolation"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
)

// edge is the effective configuration joined with the long-lived parts: what the
// handlers of every configuration, old ones included, serve with.
type edge struct {
	settings *settings
	parts    *parts
	api      *api.Handler
	ingress  http.Handler

	rejectedBefore uint64 // API requests that the handlers before api turned away
}

func newEdge(s *state, effective *settings) (*edge, error) {
	c := effective.config
	source := s.opened.source
	handler, err := source.api(api.Options{
		Log:             s.root.logger().With("part", "api"),
		Concurrency:     c.Server.Concurrency,
		RequireJSONType: len(effective.keys) == 0,
		Addresses:       addresses(c, effective.publicHosts),
		Signatures:      effective.signatures,
		SecureDefault:   c.Server.SecureDefault,
		CORS:            effective.cors,
		Docs:            docsMode(c),
	})
	if err != nil {
		return nil, err
	}
	isolated, err := isolation.ParseMode(c.Ingress.Isolation)
	if err != nil {
		return nil, err
	}
	proxy, err := ingress.New(ingress.Options{
		Directory: source, Upstreams: s.opened.upstreams, Core: upstream.Core(c.Ingress.Core), Table: effective.table, Keys: effective.keySet,
		Signatures: effective.signatures, Attempts: s.opened.attempts,
		RequireSecure: c.Server.RequireAccess == "secure", HideExistence: c.Ingress.HideExisting,
		Toucher: s.opened.renewal, CORS: effective.cors,
		CodePrefix:         strings.ToUpper(source.RuntimeName()),
		ForwardCredentials: c.Server.ForwardCreds,
		Isolation:          isolated,
		AllowCrossSite:     c.Ingress.CrossSite == "allow",
		PreserveHost:       c.Ingress.PreserveHost,
		Waiting:            s.opened.waiting,
		Wait:               c.Ingress.Wait,
		MaxWaiting:         c.Ingress.MaxWaiting,
		AutoResume:         c.Ingress.AutoResume,
		Reserved:           reserved,
		Connection:         connectionOf,
		MaxRequests:        c.Ingress.MaxRequests,
		OnGranted:          liftTimeouts,
		Metrics:            s.metrics.traffic,
		Logger:             s.root.logger().With("part", "ingress"),
	})
	if err != nil {
		return nil, err
	}
	e := &edge{settings: effective, parts: s.opened, api: handler, ingress: proxy}
	if !source.synced() {
		e.ingress = http.HandlerFunc(notSynced)
	}
	return e, nil
}

// addresses says what endpoint answers are made from.
func addresses(c *config.Config, publicHosts []string) address.Config {
	a := address.Config{EIP: c.Server.EIP, ServerHost: c.Server.Host, PublicHosts: publicHosts}
	if c.Docker.Publish {
		a.PublishedHost = address.PublicHost(c.Server.EIP, c.Server.Host, c.Docker.HostIP)
	}
	if c.Ingress.Mode == config.ModeGateway {
		a.Gateway = &address.Gateway{
			Mode:       address.Mode(c.Ingress.Gateway.Route.Mode),
			Address:    c.Ingress.Gateway.Address,
			PublicPort: uint16(c.Ingress.PublicPort), // 0…65535, checked by config
		}
	}
	return a
}

func docsMode(c *config.Config) api.DocsMode {
	if c.Server.Docs {
		return api.DocsServed
	}
	return api.DocsOff
}

// edge returns the effective handlers, nil until the state is ready.
func (app *App) edge() *edge {
	if s := app.state(); s != nil {
		return s.edge()
	}
	return nil
}

// effective returns the settings in force. Before the state is ready, that is before
// anything can be served, a configuration decides by its own.
func (app *App) effective() *settings {
	if e := app.edge(); e != nil {
		return e.settings
	}
	return app.settings
}
