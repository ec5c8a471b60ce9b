package api

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
)

// Snapshots is what the API needs of *snapshots.Catalogue. Errors are those of Service.
type Snapshots interface {
	Add(ctx context.Context, sandboxID, name string) (snapshots.Snapshot, error)
	Get(ctx context.Context, id string) (snapshots.Snapshot, error)
	List(ctx context.Context, f snapshots.Filter, page, size int) ([]snapshots.Snapshot, int, error)
	Remove(ctx context.Context, id string) error
}

// wireSnapshot is the Snapshot object of contract 01 §12.1. The image is never returned.
type wireSnapshot struct {
	ID        string     `json:"id"`
	SandboxID string     `json:"sandboxId"`
	Name      string     `json:"name,omitempty"`
	Status    wireStatus `json:"status"`
	CreatedAt stamp      `json:"createdAt"`
}

func snapshotOf(s snapshots.Snapshot) wireSnapshot {
	return wireSnapshot{
		ID: s.ID, SandboxID: s.SandboxID, Name: s.Name, CreatedAt: stamp(s.CreatedAt),
		Status: wireStatus{
			State: lifecycle.State(s.Status.State), Reason: s.Status.Reason, Message: s.Status.Message,
			LastTransitionAt: optional(s.Status.Since),
		},
	}
}

func snapshotsUnsupported() error {
	return apierror.New(http.StatusNotImplemented, snapshots.CodeNotSupported, "The configured runtime has no snapshots.")
}

// maxSnapshotName bounds what every list of snapshots repeats.
const maxSnapshotName = 255

// createSnapshot checks in the order of contract 01 §12.1; beyond it, a paused sandbox will do.
func (h *Handler) createSnapshot(w http.ResponseWriter, r *request) error {
	value, err := h.optionalBody(w, r)
	if err != nil {
		return err
	}
	name := ""
	if value != nil && value.Kind() != decode.Null {
		var problems decode.Problems
		field := problems.Object(value, decode.Loc{"body"}).Field("name")
		if name = filled(field); len(name) > maxSnapshotName {
			field.Fail("string_too_long", fmt.Sprintf("must have at most %d bytes", maxSnapshotName))
		}
		if err := problems.Err(); err != nil {
			return err
		}
	}
	sandboxID := r.params["sandboxId"]
	if h.options.Snapshots == nil {
		sandbox, err := h.service.Get(r.Context(), sandboxID)
		if err != nil {
			return err
		}
		if !snapshots.Takable(sandbox.Status.State) {
			return snapshots.ErrSourceState()
		}
		return snapshotsUnsupported()
	}
	made, err := h.options.Snapshots.Add(r.Context(), sandboxID, name)
	if err != nil {
		return err
	}
	// Relative, and under /v1 for every form of the route (contract 01 §5.1).
	w.Header().Set("Location", "/v1/snapshots/"+made.ID)
	return writeJSON(w, http.StatusAccepted, snapshotOf(made))
}

// listSnapshots answers GET /snapshots: filters first, then pages, the newest at the top.
func (h *Handler) listSnapshots(w http.ResponseWriter, r *request) error {
	var problems decode.Problems
	page, size := r.paging(&problems)
	if err := problems.Err(); err != nil {
		return err
	}
	if h.options.Snapshots == nil {
		return snapshotsUnsupported()
	}
	sandbox, _ := r.last("sandboxId")
	name, _ := r.last("name") // beyond contract 01 §12.1: the published clients send it
	filter := snapshots.Filter{SandboxID: sandbox, Name: name, States: r.query["state"]}
	found, total, err := h.options.Snapshots.List(r.Context(), filter, int(min(page, math.MaxInt32)), int(size))
	if err != nil {
		return err
	}
	pages := (total + int(size) - 1) / int(size)
	answer := struct {
		Items      []wireSnapshot `json:"items"`
		Pagination wirePagination `json:"pagination"`
	}{
		Items: make([]wireSnapshot, 0, len(found)),
		Pagination: wirePagination{
			Page: page, PageSize: size, TotalItems: total, TotalPages: pages, HasNextPage: page < int64(pages),
		},
	}
	for _, s := range found {
		answer.Items = append(answer.Items, snapshotOf(s))
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (h *Handler) getSnapshot(w http.ResponseWriter, r *request) error {
	if h.options.Snapshots == nil {
		return snapshotsUnsupported()
	}
	found, err := h.options.Snapshots.Get(r.Context(), r.params["snapshotId"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, snapshotOf(found))
}

func (h *Handler) deleteSnapshot(w http.ResponseWriter, r *request) error {
	if h.options.Snapshots == nil {
		return snapshotsUnsupported()
	}
	if err := h.options.Snapshots.Remove(r.Context(), r.params["snapshotId"]); err != nil {
		return err
	}
	return writeEmpty(w, http.StatusNoContent)
}
