package execd

import (
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/execd/stream"
)

func (s *Server) metricsNow(w http.ResponseWriter, _ *http.Request, _ []string) error {
	return writeJSON(w, s.sampler.Sample())
}

// metricsWatch sends a sample at once and then every interval, each as one event
// in the framing of section 4, until the client leaves or the daemon stops.
func (s *Server) metricsWatch(w http.ResponseWriter, r *http.Request, _ []string) error {
	events := stream.NewWriter(w)
	defer events.Close()
	tick := time.NewTicker(s.options.WatchInterval)
	defer tick.Stop()
	for {
		if events.WriteJSON(s.sampler.Sample()) != nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return nil
		case <-s.stopping:
			return nil
		}
	}
}
