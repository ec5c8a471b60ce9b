package caddymodule

import (
	"context"
	"log/slog"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
)

// renewal counts accesses for as long as the parts are open. What a reload can change of
// [renew_intent] takes effect on the next access.
type renewal struct {
	*renew.Renewer
}

func newRenewal(extender renew.Extender, log *slog.Logger) (*renewal, error) {
	renewer, err := renew.New(renew.Options{Extender: extender, Logger: log})
	if err != nil {
		return nil, err
	}
	renewer.Start()
	return &renewal{renewer}, nil
}

// apply puts the rules of a configuration into force.
func (r *renewal) apply(c *config.Config) {
	r.Set(renew.Rules{Enabled: c.RenewIntent.Enabled, MinInterval: c.RenewIntent.MinInterval})
}

// Close does the renewals that wait.
func (r *renewal) Close(ctx context.Context) error { return r.Renewer.Close(ctx) }
