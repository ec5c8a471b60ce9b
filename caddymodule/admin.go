package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/opensandbox-edge/edge/internal/version"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func init() { caddy.RegisterModule(AdminAPI{}) }

// maxListed bounds the sandboxes of one answer.
const maxListed = 10000

// AdminAPI is a read-only view on Caddy's admin endpoint: GET /opensandbox/ answers with
// the sandboxes the edge routes to and the pools. It has ids, names, states and ages only (threat row X10): no
// address, no token, no metadata.
type AdminAPI struct{}

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.opensandbox", New: func() caddy.Module { return new(AdminAPI) }}
}

// Routes implements caddy.AdminRouter.
func (AdminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/opensandbox/", Handler: caddy.AdminHandlerFunc(serveAdminView)}}
}

// adminView is the answer. Durations are in seconds.
type adminView struct {
	Version   string         `json:"version"`
	Ready     bool           `json:"ready"`
	Events    adminEvents    `json:"events"`
	Total     int            `json:"total"`
	Sandboxes []adminSandbox `json:"sandboxes"` // by id, at most maxListed
	Pools     []adminPool    `json:"pools"`     // by name
}

type adminEvents struct {
	Connected bool    `json:"connected"`
	Age       float64 `json:"age"`
}

type adminSandbox struct {
	ID         string          `json:"id"`
	State      lifecycle.State `json:"state"`
	Generation uint64          `json:"generation"`
	Idle       *float64        `json:"idle,omitempty"` // since the last proxied request; absent = none yet
}

// adminPool is a pool without its template.
type adminPool struct {
	Name      string `json:"name"`
	Total     int    `json:"total"`
	Allocated int    `json:"allocated"`
	Available int    `json:"available"`
}

func serveAdminView(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("the view is read-only: use GET")}
	}
	if r.URL.Path != "/opensandbox/" {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("there is only /opensandbox/")}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(viewOf(pooledState(), time.Now()))
}

func viewOf(s *state, now time.Time) adminView {
	view := adminView{Version: version.Version, Sandboxes: []adminSandbox{}, Pools: []adminPool{}}
	if s == nil || s.edge() == nil {
		return view
	}
	known := s.edge().parts.source
	directory := known.Directory()
	age, up := known.news()
	view.Ready, view.Events, view.Total = known.Ready().Ready, adminEvents{Connected: up, Age: age.Seconds()}, directory.Len()
	directory.Range(func(e *lifecycle.Entry) bool {
		one := adminSandbox{ID: e.ID, State: e.State, Generation: e.Generation}
		if e.LastTouch != nil {
			if at := e.LastTouch.Load(); at != 0 {
				idle := now.Sub(time.Unix(0, at)).Seconds()
				one.Idle = &idle
			}
		}
		view.Sandboxes = append(view.Sandboxes, one)
		return len(view.Sandboxes) < maxListed
	})
	if l, ok := known.(*lifecycleSource); ok && l.pools != nil {
		for _, p := range l.pools.List() {
			view.Pools = append(view.Pools, adminPool{p.Name, p.Status.Total, p.Status.Allocated, p.Status.Available})
		}
	}
	sort.Slice(view.Sandboxes, func(i, j int) bool { return view.Sandboxes[i].ID < view.Sandboxes[j].ID })
	return view
}

// Interface guards
var _ caddy.AdminRouter = (*AdminAPI)(nil)
