package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
)

// shelf is a catalogue of one snapshot, which writes down what it is asked.
type shelf struct {
	kept   snapshots.Snapshot
	name   string
	filter snapshots.Filter
	page   [2]int
}

func (s *shelf) Add(_ context.Context, _, name string) (snapshots.Snapshot, error) {
	s.name = name
	return s.kept, nil
}

func (s *shelf) Get(_ context.Context, id string) (snapshots.Snapshot, error) {
	if id != s.kept.ID {
		return snapshots.Snapshot{}, apierror.New(404, "SNAPSHOT::NOT_FOUND", "none")
	}
	return s.kept, nil
}

func (s *shelf) List(_ context.Context, f snapshots.Filter, page, size int) ([]snapshots.Snapshot, int, error) {
	s.filter, s.page = f, [2]int{page, size}
	return []snapshots.Snapshot{s.kept}, 5, nil
}

func (s *shelf) Remove(ctx context.Context, id string) error {
	_, err := s.Get(ctx, id)
	return err
}

func TestSnapshotRoutes(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := &shelf{kept: snapshots.Snapshot{
		ID: "snap", SandboxID: id, Name: "first", Image: "opensandbox-snapshots:snap", CreatedAt: at,
		Status: snapshots.Status{State: snapshots.Creating, Reason: "snapshot_accepted", Since: at},
	}}
	e := newEdge(t, func(o *api.Options) { o.Snapshots = s })
	const object = `{"id":"snap","sandboxId":"` + id + `","name":"first","status":{"state":"Creating","reason":"snapshot_accepted",` +
		`"lastTransitionAt":"2026-01-02T03:04:05Z"},"createdAt":"2026-01-02T03:04:05Z"}`

	for body, name := range map[string]string{"": "", "null": "", "{}": "", `{"name":null}`: "", `{"name":"first","more":1}`: "first"} {
		for _, mount := range []string{"", "/v1"} {
			w := e.do("POST", mount+"/sandboxes/"+id+"/snapshots", body)
			require.Equal(t, 202, w.Code, w.Body)
			require.Equal(t, "/v1/snapshots/snap", w.Header().Get("Location"))
			require.Equal(t, object, w.Body.String(), "the image is nobody's business")
			require.Equal(t, name, s.name)
		}
	}
	wantError(t, e.do("POST", "/sandboxes/x/snapshots", `{"name":""}`), 422, "SANDBOX::INVALID_PARAMETER")
	wantError(t, e.do("POST", "/sandboxes/x/snapshots", `{"name":"`+strings.Repeat("n", 256)+`"}`), 422, "SANDBOX::INVALID_PARAMETER")

	w := e.do("GET", "/snapshots/snap", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, object, w.Body.String())
	wantError(t, e.do("GET", "/snapshots/gone", ""), 404, "SNAPSHOT::NOT_FOUND")

	w = e.do("GET", "/snapshots?sandboxId=s&name=first&state=Ready&state=failed&page=2&pageSize=2", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, `{"items":[`+object+`],"pagination":{"page":2,"pageSize":2,"totalItems":5,"totalPages":3,"hasNextPage":true}}`, w.Body.String())
	require.Equal(t, snapshots.Filter{SandboxID: "s", Name: "first", States: []string{"Ready", "failed"}}, s.filter)
	require.Equal(t, [2]int{2, 2}, s.page)
	wantError(t, e.do("GET", "/snapshots?pageSize=201", ""), 422, "SANDBOX::INVALID_PARAMETER")

	w = e.do("DELETE", "/snapshots/snap", "")
	require.Equal(t, 204, w.Code)
	require.Empty(t, w.Body.String())
	wantError(t, e.do("DELETE", "/snapshots/gone", ""), 404, "SNAPSHOT::NOT_FOUND")
}
