package api

import (
	"math"
	"net/http"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

func (h *Handler) get(w http.ResponseWriter, r *request) error {
	sandbox, err := h.service.Get(r.Context(), r.params["sandboxId"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, sandboxOf(sandbox))
}

// list answers GET /sandboxes (contract 01 §7.3): filters first, then pages.
func (h *Handler) list(w http.ResponseWriter, r *request) error {
	var problems decode.Problems
	page, size := r.paging(&problems)
	if err := problems.Err(); err != nil {
		return err
	}
	metadata, err := r.metadataFilter()
	if err != nil {
		return err
	}
	result, err := h.service.List(r.Context(),
		lifecycle.Filter{States: r.query["state"], Metadata: metadata},
		// No list is long enough for the clamped pages to exist; the answer names the page asked for.
		lifecycle.Page{Number: int(min(page, math.MaxInt32)), Size: int(size)})
	if err != nil {
		return err
	}
	answer := wireList{
		Items: make([]wireSandbox, 0, len(result.Items)),
		Pagination: wirePagination{
			Page:        page,
			PageSize:    size,
			TotalItems:  result.Total,
			TotalPages:  result.TotalPages(),
			HasNextPage: result.HasNext(),
		},
	}
	for _, s := range result.Items {
		answer.Items = append(answer.Items, sandboxOf(s))
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (h *Handler) delete(w http.ResponseWriter, r *request) error {
	if err := h.service.Delete(r.Context(), r.params["sandboxId"]); err != nil {
		return err
	}
	return writeEmpty(w, http.StatusNoContent)
}

func (h *Handler) pause(w http.ResponseWriter, r *request) error {
	if err := h.service.Pause(r.Context(), r.params["sandboxId"]); err != nil {
		return err
	}
	return writeEmpty(w, http.StatusAccepted)
}

func (h *Handler) resume(w http.ResponseWriter, r *request) error {
	if err := h.service.Resume(r.Context(), r.params["sandboxId"]); err != nil {
		return err
	}
	return writeEmpty(w, http.StatusAccepted)
}

// renew answers POST /sandboxes/{id}/renew-expiration. An earlier expiry than the
// current one is fine: clients shorten idle sandboxes this way (contract 01 §9.3).
func (h *Handler) renew(w http.ResponseWriter, r *request) error {
	value, err := h.body(w, r)
	if err != nil {
		return err
	}
	var problems decode.Problems
	m := problems.Object(value, decode.Loc{"body"})
	at, _ := m.Field("expiresAt").Required().Time()
	m.Done()
	h.note(w, r, &problems)
	if err := problems.Err(); err != nil {
		return err
	}
	stored, err := h.service.Renew(r.Context(), r.params["sandboxId"], at)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		ExpiresAt stamp `json:"expiresAt"`
	}{stamp(stored)})
}

// patchMetadata answers PATCH /sandboxes/{id}/metadata: a merge patch of the metadata
// map itself, where null deletes (contract 01 §8).
func (h *Handler) patchMetadata(w http.ResponseWriter, r *request) error {
	value, err := h.body(w, r)
	if err != nil {
		return err
	}
	var problems decode.Problems
	entries, _ := problems.Root(value).NullableEntries()
	if err := problems.Err(); err != nil {
		return err
	}
	patch := make(map[string]*string, len(entries))
	for _, e := range entries {
		patch[e.Name] = e.Value
	}
	sandbox, err := h.service.PatchMetadata(r.Context(), r.params["sandboxId"], patch)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, sandboxOf(sandbox))
}
