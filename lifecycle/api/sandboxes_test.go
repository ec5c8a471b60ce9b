package api_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const (
	head = `{"id":"160808dc-2c0c-48c3-875a-06ab3e948cdb",`
	tail = `"platform":{"os":"linux","arch":"amd64"},` +
		`"status":{"state":"Running","reason":"CONTAINER_RUNNING","message":"up","lastTransitionAt":"2026-11-23T08:20:36.463854Z"},` +
		`"metadata":{"team":"ml"},"entrypoint":["tail","-f","/dev/null"],` +
		`"expiresAt":"2026-11-23T09:20:36.463854Z","createdAt":"2026-11-23T08:20:36.463854Z"}`
	created = head + tail
	found   = head + `"image":{"uri":"python:3.11"},` + tail

	createBody = `{"image":{"uri":"python:3.11"},"entrypoint":["tail","-f","/dev/null"],"resourceLimits":{}}`
)

// Every success, on both mounts, byte for byte.
func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		method, path, body string
		status             int
		want, call         string
	}{
		{"POST", "/sandboxes", createBody, 202, created, "create"},
		{"GET", "/sandboxes/" + id, "", 200, found, "get " + id},
		{"DELETE", "/sandboxes/" + id, "", 204, "", "delete " + id},
		{"PATCH", "/sandboxes/" + id + "/metadata", `{"a":"b","c":null}`, 200, found, "patch " + id},
		{"POST", "/sandboxes/" + id + "/pause", "", 202, "", "pause " + id},
		{"POST", "/sandboxes/" + id + "/resume", "anything", 202, "", "resume " + id},
		{"POST", "/sandboxes/" + id + "/renew-expiration", `{"expiresAt":"2030-01-01T00:00:00Z"}`, 200, `{"expiresAt":"2030-01-01T00:00:00Z"}`, "renew " + id},
		{"GET", "/sandboxes", "", 200, `{"items":[` + found + `],"pagination":{"page":1,"pageSize":20,"totalItems":1,"totalPages":1,"hasNextPage":false}}`, "list"},
	} {
		for _, mount := range []string{"", "/v1"} {
			t.Run(tc.method+" "+mount+tc.path, func(t *testing.T) {
				e := newEdge(t)
				e.service.total = 1
				e.service.stored = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
				w := e.do(tc.method, mount+tc.path, tc.body)
				require.Equal(t, tc.status, w.Code, w.Body.String())
				require.Equal(t, tc.want, w.Body.String())
				require.Equal(t, []string{tc.call}, e.service.calls)
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
				require.NotEmpty(t, w.Header().Get("X-Request-ID"))
				require.Empty(t, w.Header().Get("Location"))
				switch {
				case tc.want != "":
					require.Equal(t, "application/json", w.Header().Get("Content-Type"))
				case tc.status == 202:
					require.Equal(t, "0", w.Header().Get("Content-Length"), "the JavaScript client parses the body otherwise")
				}
			})
		}
	}
}

func TestAbsentMembersAreLeftOut(t *testing.T) {
	e := newEdge(t)
	e.service.sandbox = lifecycle.Sandbox{
		ID: id, SnapshotID: "snap", Status: lifecycle.Status{State: lifecycle.Pending},
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
	}
	w := e.do("GET", "/v1/sandboxes/"+id, "")
	require.Equal(t, `{"id":"`+id+`","snapshotId":"snap","status":{"state":"Pending"},"entrypoint":[],"createdAt":"2026-01-02T02:04:05Z"}`, w.Body.String())
	w = e.do("POST", "/v1/sandboxes", createBody)
	require.NotContains(t, w.Body.String(), "snapshotId")
	require.NotContains(t, w.Body.String(), "null")
}

func TestTimestampsKeepSixDigits(t *testing.T) {
	e := newEdge(t)
	e.service.stored = time.Date(2030, 1, 1, 0, 0, 0, 120_000_999, time.UTC)
	w := e.do("POST", "/v1/sandboxes/"+id+"/renew-expiration", `{"expires_at":"2030-01-01 00:00"}`)
	require.Equal(t, `{"expiresAt":"2030-01-01T00:00:00.120000Z"}`, w.Body.String())
	require.Equal(t, "2030-01-01T00:00:00Z", e.service.renewed.Format(time.RFC3339Nano))
}

// Errors of the service pass as they are; what is no apierror hides its text.
func TestServiceErrors(t *testing.T) {
	routes := []struct{ method, path, body string }{
		{"POST", "/v1/sandboxes", createBody},
		{"GET", "/v1/sandboxes", ""},
		{"GET", "/v1/sandboxes/x", ""},
		{"DELETE", "/v1/sandboxes/x", ""},
		{"PATCH", "/v1/sandboxes/x/metadata", "{}"},
		{"POST", "/v1/sandboxes/x/pause", ""},
		{"POST", "/v1/sandboxes/x/resume", ""},
		{"POST", "/v1/sandboxes/x/renew-expiration", `{"expiresAt":1900000000}`},
		{"POST", "/v1/sandboxes/x/snapshots", ""},
	}
	for _, code := range []struct {
		status int
		code   string
	}{
		{400, "INVALID_METADATA_LABEL"},
		{400, "SANDBOX::INVALID_METADATA_LABEL"},
		{400, "SANDBOX::INVALID_PARAMETER"},
		{400, "SANDBOX::UNSUPPORTED_POOL_REF"},
		{400, "DOCKER::INVALID_EXPIRATION"},
		{400, "DOCKER::INVALID_ENTRYPOINT"},
		{404, "DOCKER::SANDBOX_NOT_FOUND"},
		{404, "SNAPSHOT::NOT_FOUND"},
		{409, "DOCKER::SANDBOX_NOT_RUNNING"},
		{409, "DOCKER::SANDBOX_NOT_PAUSED"},
		{409, "DOCKER::INVALID_EXPIRATION"},
		{500, "DOCKER::SANDBOX_QUERY_FAILED"},
		{500, "DOCKER::SANDBOX_IMAGE_PULL_FAILED"},
		{500, "DOCKER::SANDBOX_START_FAILED"},
		{500, "DOCKER::SANDBOX_DELETE_FAILED"},
		{500, "DOCKER::SANDBOX_PAUSE_FAILED"},
		{500, "DOCKER::SANDBOX_RESUME_FAILED"},
		{500, "DOCKER::SANDBOX_EXECD_DISTRIBUTION_FAILED"},
		{500, "DOCKER::SANDBOX_BOOTSTRAP_INSTALL_FAILED"},
		{503, "DOCKER::SANDBOX_EXECD_START_FAILED"},
		{503, "DOCKER::INITIALIZATION_ERROR"},
	} {
		for _, r := range routes {
			e := newEdge(t)
			e.service.err = apierror.New(code.status, code.code, "why").Because(errors.New("daemon says no"))
			w := e.do(r.method, r.path, r.body)
			a := wantError(t, w, code.status, code.code)
			require.Equal(t, "why", a.Message)
			require.NotContains(t, w.Body.String(), "daemon")
			require.Equal(t, code.status >= 500, strings.Contains(e.log.String(), `"level":"ERROR"`), "the server's faults are logged")
			require.Contains(t, e.log.String(), w.Header().Get("X-Request-ID"))
		}
	}
	e := newEdge(t)
	e.service.err = errors.New("dial unix /var/run/docker.sock: refused")
	w := e.do("GET", "/v1/sandboxes/x", "")
	wantError(t, w, 500, "GENERAL::UNKNOWN_ERROR")
	require.NotContains(t, w.Body.String(), "docker.sock")
	require.Contains(t, e.log.String(), "docker.sock")
}

func TestListQuery(t *testing.T) {
	encode := url.QueryEscape
	for _, tc := range []struct {
		query  string
		filter lifecycle.Filter
		page   lifecycle.Page
	}{
		{"", lifecycle.Filter{}, lifecycle.Page{Number: 1, Size: 20}},
		{"?state=Running&state=pAused", lifecycle.Filter{States: []string{"Running", "pAused"}}, lifecycle.Page{Number: 1, Size: 20}},
		{"?state=", lifecycle.Filter{States: []string{""}}, lifecycle.Page{Number: 1, Size: 20}},
		{"?state=a;b", lifecycle.Filter{States: []string{"a;b"}}, lifecycle.Page{Number: 1, Size: 20}},
		{"?page=2&pageSize=200", lifecycle.Filter{}, lifecycle.Page{Number: 2, Size: 200}},
		{"?page=9&page=3&page_size=7", lifecycle.Filter{}, lifecycle.Page{Number: 3, Size: 20}},
		{"?metadata=", lifecycle.Filter{}, lifecycle.Page{Number: 1, Size: 20}},
		{"?metadata=" + encode("a=b&c=d"), lifecycle.Filter{Metadata: map[string]string{"a": "b", "c": "d"}}, lifecycle.Page{Number: 1, Size: 20}},
		{"?metadata=" + encode(encode("a")+"="+encode("b c")), lifecycle.Filter{Metadata: map[string]string{"a": "b c"}}, lifecycle.Page{Number: 1, Size: 20}},
		{"?metadata=" + encode("x%2Fy=1%2B1"), lifecycle.Filter{Metadata: map[string]string{"x/y": "1+1"}}, lifecycle.Page{Number: 1, Size: 20}},
		{"?metadata=" + encode("a=1&a=2&k="), lifecycle.Filter{Metadata: map[string]string{"a": "2", "k": ""}}, lifecycle.Page{Number: 1, Size: 20}},
		{"?metadata=" + encode("a=b=c;d"), lifecycle.Filter{Metadata: map[string]string{"a": "b=c;d"}}, lifecycle.Page{Number: 1, Size: 20}},
	} {
		e := newEdge(t)
		w := e.do("GET", "/v1/sandboxes"+tc.query, "")
		require.Equal(t, 200, w.Code, "%s: %s", tc.query, w.Body)
		require.Equal(t, tc.filter, e.service.filter, tc.query)
		require.Equal(t, tc.page, e.service.page, tc.query)
	}
	for query, loc := range map[string][]any{
		"?page=0": {"query", "page"}, "?page=-1": {"query", "page"}, "?page=x": {"query", "page"}, "?page=": {"query", "page"}, "?page=1.5": {"query", "page"},
		"?pageSize=0": {"query", "pageSize"}, "?pageSize=201": {"query", "pageSize"},
	} {
		a := wantError(t, newEdge(t).do("GET", "/v1/sandboxes"+query, ""), 422, "SANDBOX::INVALID_PARAMETER")
		require.Equal(t, loc, a.Detail[0].Loc)
	}
	for _, broken := range []string{"a", "a=b&", "&", "a=b&c", "%"} {
		wantError(t, newEdge(t).do("GET", "/v1/sandboxes?metadata="+encode(broken), ""), 400, "INVALID_METADATA_FORMAT")
	}
}

func TestListPaging(t *testing.T) {
	e := newEdge(t)
	e.service.total = 41
	w := e.do("GET", "/v1/sandboxes?page=2", "")
	require.Contains(t, w.Body.String(), `"pagination":{"page":2,"pageSize":20,"totalItems":41,"totalPages":3,"hasNextPage":true}`)
	e.service.total = 0
	w = e.do("GET", "/v1/sandboxes?page=99999999999999999999", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, `{"items":[],"pagination":{"page":9223372036854775807,"pageSize":20,"totalItems":0,"totalPages":0,"hasNextPage":false}}`, w.Body.String())
}

func TestPatchMetadata(t *testing.T) {
	e := newEdge(t)
	w := e.do("PATCH", "/v1/sandboxes/"+id+"/metadata", `{"a":"b","gone":null,"snake_case":""}`,
		header{"Content-Type": "application/merge-patch+json; charset=utf-8"})
	require.Equal(t, http.StatusOK, w.Code)
	b, empty := "b", ""
	require.Equal(t, map[string]*string{"a": &b, "gone": nil, "snake_case": &empty}, e.service.patch)
	for _, body := range []string{"", "null", "[]", `"x"`, `{"a":1}`, `{"a":{}}`, `{"a":["b"]}`, `{`} {
		e := newEdge(t)
		wantError(t, e.do("PATCH", "/v1/sandboxes/"+id+"/metadata", body), 422, "SANDBOX::INVALID_PARAMETER")
		require.Empty(t, e.service.calls)
	}
}

func TestRenewRefuses(t *testing.T) {
	for _, body := range []string{"", "null", "{}", `{"expiresAt":null}`, `{"expiresAt":""}`, `{"expiresAt":"tomorrow"}`, `[]`} {
		e := newEdge(t)
		wantError(t, e.do("POST", "/v1/sandboxes/"+id+"/renew-expiration", body), 422, "SANDBOX::INVALID_PARAMETER")
		require.Empty(t, e.service.calls)
	}
}
