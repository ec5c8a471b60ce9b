package api

import (
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

// The routes of this file belong to features the configured runtime does not have.
// They check their input like any other, so that a client's mistake is reported as
// such, and then say that the feature is missing.

func poolsUnsupported() error {
	return apierror.New(http.StatusNotImplemented, "KUBERNETES::POOL_NOT_SUPPORTED",
		"Pools need the Kubernetes runtime.")
}

func snapshotsUnsupported() error {
	return apierror.New(http.StatusNotImplemented, "SNAPSHOT::NOT_IMPLEMENTED",
		"This runtime does not support snapshots.")
}

func (h *Handler) pool(http.ResponseWriter, *request) error { return poolsUnsupported() }

func (h *Handler) createPool(w http.ResponseWriter, r *request) error {
	return h.checkPool(w, r, func(m *decode.Members) {
		matching(m.Field("name").Required(), nameText, 253, "lower-case letters, digits and inner hyphens, at most 253")
		m.Field("template").Required().Object()
		capacity(m.Field("capacitySpec").Required())
	})
}

func (h *Handler) updatePool(w http.ResponseWriter, r *request) error {
	return h.checkPool(w, r, func(m *decode.Members) { capacity(m.Field("capacitySpec").Required()) })
}

func (h *Handler) checkPool(w http.ResponseWriter, r *request, check func(*decode.Members)) error {
	value, err := h.body(w, r)
	if err != nil {
		return err
	}
	var problems decode.Problems
	check(problems.Object(value, decode.Loc{"body"}))
	if err := problems.Err(); err != nil {
		return err
	}
	return poolsUnsupported()
}

func capacity(f decode.Field) {
	m := f.Members()
	for _, name := range []string{"bufferMax", "bufferMin", "poolMax", "poolMin"} {
		m.Field(name).Required().IntAtLeast(0)
	}
}

// createSnapshot checks in the order of contract 01 §12.1.
func (h *Handler) createSnapshot(w http.ResponseWriter, r *request) error {
	value, err := h.optionalBody(w, r)
	if err != nil {
		return err
	}
	if value != nil && value.Kind() != decode.Null {
		var problems decode.Problems
		filled(problems.Object(value, decode.Loc{"body"}).Field("name"))
		if err := problems.Err(); err != nil {
			return err
		}
	}
	sandbox, err := h.service.Get(r.Context(), r.params["sandboxId"])
	if err != nil {
		return err
	}
	if sandbox.Status.State != lifecycle.Running {
		return apierror.New(http.StatusConflict, "SNAPSHOT::INVALID_SOURCE_STATE",
			"Only a running sandbox can be snapshotted.")
	}
	return snapshotsUnsupported()
}

func (h *Handler) listSnapshots(_ http.ResponseWriter, r *request) error {
	var problems decode.Problems
	r.paging(&problems)
	if err := problems.Err(); err != nil {
		return err
	}
	return snapshotsUnsupported()
}

func (h *Handler) snapshot(http.ResponseWriter, *request) error { return snapshotsUnsupported() }
