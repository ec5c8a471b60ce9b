package main

import (
	"context"
	"os"

	"github.com/opensandbox-edge/edge/test/edge"
)

// lifecycleServer is the real server with an engine: the system's, or the one that
// Options.EngineSocket names.
type lifecycleServer struct{ *edge.Server }

// startLifecycle runs it with logs off.
func startLifecycle(ctx context.Context, b *bench, o edge.Options) (*lifecycleServer, error) {
	l, err := newLifecycle(b, o)
	if err != nil {
		return nil, err
	}
	return l, l.Start(ctx)
}

// newLifecycle configures it. The images are those that `make images` builds.
func newLifecycle(b *bench, o edge.Options) (*lifecycleServer, error) {
	dir, err := os.MkdirTemp(b.dir, "lifecycle-")
	if err != nil {
		return nil, err
	}
	l := &lifecycleServer{}
	o.Binary, o.Dir = tool("opensandbox-server"), dir
	o.DemoImage, o.ExecdImg = os.Getenv("EDGE_DEMO_IMAGE"), os.Getenv("EDGE_EXECD_IMAGE")
	o.Extra = "[log]\naccess_enabled = false\nlevel = \"ERROR\"\n"
	l.Server, err = edge.New(o)
	return l, err
}

// stop ends it and removes the sandboxes that are left on the system's engine.
func (l *lifecycleServer) stop(ctx context.Context) {
	_ = l.Stop()
	if l.EngineSocket == "" {
		_ = l.RemoveContainers(context.WithoutCancel(ctx))
	}
}
