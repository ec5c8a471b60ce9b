package runtimefake_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBehavesLikeARuntime(t *testing.T) {
	runtimetest.Run(t, func(*testing.T) runtimetest.Subject {
		r := runtimefake.New()
		spec := func(id string) lifecycle.Spec {
			return lifecycle.Spec{ID: id, Image: "demo", Entrypoint: []string{"sleep"}, Timeout: time.Hour}
		}
		return runtimetest.Subject{
			Runtime: r,
			Spec:    spec,
			BadSpec: func(id string) lifecycle.Spec {
				s := spec(id)
				s.Image = runtimefake.RefusedImage
				return s
			},
			End:    r.End,
			Remove: r.Remove,
			Wait:   time.Minute,
		}
	})
}
