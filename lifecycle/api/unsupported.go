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

func snapshotsUnsupported() error {
	return apierror.New(http.StatusNotImplemented, "SNAPSHOT::NOT_IMPLEMENTED",
		"This runtime does not support snapshots.")
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
