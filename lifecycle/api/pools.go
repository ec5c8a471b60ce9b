package api

import (
	"context"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
)

// Pools is what the API needs of *pools.Set. Errors are those of Service.
type Pools interface {
	Add(ctx context.Context, p pools.Pool) (pools.View, error)
	Resize(ctx context.Context, name string, c pools.Capacity) (pools.View, error)
	Remove(ctx context.Context, name string) error
	Get(name string) (pools.View, error)
	List() []pools.View
}

// wirePool is the Pool object of contract 01 §13. The template is never returned.
type wirePool struct {
	Name         string       `json:"name"`
	CapacitySpec wireCapacity `json:"capacitySpec"`
	Status       wireMembers  `json:"status"`
	CreatedAt    stamp        `json:"createdAt"`
}

type wireCapacity struct {
	BufferMax int `json:"bufferMax"`
	BufferMin int `json:"bufferMin"`
	PoolMax   int `json:"poolMax"`
	PoolMin   int `json:"poolMin"`
}

type wireMembers struct {
	Total     int    `json:"total"`
	Allocated int    `json:"allocated"`
	Available int    `json:"available"`
	Revision  string `json:"revision"`
}

func poolOf(v pools.View) wirePool {
	return wirePool{
		Name: v.Name, CapacitySpec: wireCapacity(v.Capacity), Status: wireMembers(v.Status), CreatedAt: stamp(v.CreatedAt),
	}
}

func poolsUnsupported() error {
	return apierror.New(http.StatusNotImplemented, pools.CodeNotSupported, "The configured runtime has no pools.")
}

// createPool answers POST /pools. What the template may hold is checked only where it is
// understood; without pools any object will do.
func (h *Handler) createPool(w http.ResponseWriter, r *request) error {
	value, err := h.body(w, r)
	if err != nil {
		return err
	}
	var problems decode.Problems
	var p pools.Pool
	m := problems.Object(value, decode.Loc{"body"})
	p.Name = matching(m.Field("name").Required(), nameText, pools.MaxName, "lower-case letters, digits and inner hyphens, at most 253")
	template := m.Field("template").Required()
	var unsupported []string
	if h.options.Pools == nil {
		template.Object()
	} else {
		p.Template, unsupported = poolTemplate(&problems, template)
	}
	p.Capacity = capacity(m.Field("capacitySpec").Required())
	switch err := problems.Err(); {
	case err != nil:
		return err
	case h.options.Pools == nil:
		return poolsUnsupported()
	case len(unsupported) > 0:
		return templateUnsupported(unsupported)
	}
	m.Done()
	h.note(w, r, &problems)
	made, err := h.options.Pools.Add(r.Context(), p)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, poolOf(made))
}

func (h *Handler) updatePool(w http.ResponseWriter, r *request) error {
	value, err := h.body(w, r)
	if err != nil {
		return err
	}
	var problems decode.Problems
	size := capacity(problems.Object(value, decode.Loc{"body"}).Field("capacitySpec").Required())
	if err := problems.Err(); err != nil {
		return err
	}
	if h.options.Pools == nil {
		return poolsUnsupported()
	}
	changed, err := h.options.Pools.Resize(r.Context(), r.params["poolName"], size)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, poolOf(changed))
}

func capacity(f decode.Field) pools.Capacity {
	m := f.Members()
	number := func(name string) int {
		n, _ := m.Field(name).Required().IntAtLeast(0)
		return int(min(n, pools.MaxMembers+1)) // larger ones are refused all the same
	}
	return pools.Capacity{
		BufferMax: number("bufferMax"), BufferMin: number("bufferMin"), PoolMax: number("poolMax"), PoolMin: number("poolMin"),
	}
}

func (h *Handler) listPools(w http.ResponseWriter, _ *request) error {
	if h.options.Pools == nil {
		return poolsUnsupported()
	}
	answer := struct {
		Items []wirePool `json:"items"`
	}{Items: []wirePool{}}
	for _, v := range h.options.Pools.List() {
		answer.Items = append(answer.Items, poolOf(v))
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (h *Handler) getPool(w http.ResponseWriter, r *request) error {
	if h.options.Pools == nil {
		return poolsUnsupported()
	}
	found, err := h.options.Pools.Get(r.params["poolName"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, poolOf(found))
}

func (h *Handler) deletePool(w http.ResponseWriter, r *request) error {
	if h.options.Pools == nil {
		return poolsUnsupported()
	}
	if err := h.options.Pools.Remove(r.Context(), r.params["poolName"]); err != nil {
		return err
	}
	return writeEmpty(w, http.StatusNoContent)
}
