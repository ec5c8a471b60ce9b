package namedvolume_test

import (
	"context"
	"log/slog"
	"testing"

	dockervolume "github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/namedvolume"
)

// removals is an engine whose volumes are all this server's and go with their last sandbox.
type removals struct {
	namedvolume.Engine
	removed []string
	then    func(name string)
}

func (r *removals) VolumeInspect(_ context.Context, name string) (dockervolume.Volume, error) {
	return dockervolume.Volume{Name: name, Labels: map[string]string{
		namedvolume.LabelManagedBy: namedvolume.ManagedByServer, namedvolume.LabelInstance: "one", namedvolume.LabelDelete: "with-last-sandbox",
	}}, nil
}

func (r *removals) VolumeRemove(_ context.Context, name string, _ bool) error {
	r.removed = append(r.removed, name)
	r.then(name)
	return nil
}

// A sandbox that came while another volume was being removed, which may take long, keeps its own.
func TestEveryVolumeIsLookedAtWhenItsTurnComes(t *testing.T) {
	claimed := map[string]bool{}
	engine := &removals{then: func(name string) { claimed["shared"] = name == "big" }}
	b := &namedvolume.Book{
		Engine: engine, Instance: "one", Log: slog.New(slog.DiscardHandler),
		Claimed: func(context.Context) (map[string]bool, error) { return claimed, nil },
	}
	require.NoError(t, b.Remove(t.Context(), []string{"big", "shared", "small"}))
	require.Equal(t, []string{"big", "small"}, engine.removed)
}
