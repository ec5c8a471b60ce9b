package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	id    = "160808dc-2c0c-48c3-875a-06ab3e948cdb"
	key   = "the-key"
	token = "execd-token-of-the-sandbox"
)

var born = time.Date(2026, 11, 23, 8, 20, 36, 463854123, time.UTC)

// scripted is a Service that records what it was asked and answers as the test says.
type scripted struct {
	directory lifecycle.Directory
	sandbox   lifecycle.Sandbox
	err       error // of every method
	stored    time.Time
	ready     lifecycle.Readiness
	block     chan struct{} // when set, Get waits for it
	panics    any

	mu      sync.Mutex
	calls   []string
	created lifecycle.CreateRequest
	filter  lifecycle.Filter
	page    lifecycle.Page
	total   int
	patch   map[string]*string
	renewed time.Time
}

func (s *scripted) saw(call string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	if s.panics != nil {
		panic(s.panics)
	}
	return s.err
}

func (s *scripted) Create(_ context.Context, r lifecycle.CreateRequest) (lifecycle.Sandbox, error) {
	s.created = r
	return s.sandbox, s.saw("create")
}

func (s *scripted) Get(_ context.Context, id string) (lifecycle.Sandbox, error) {
	if s.block != nil {
		<-s.block
	}
	return s.sandbox, s.saw("get " + id)
}

func (s *scripted) List(_ context.Context, f lifecycle.Filter, p lifecycle.Page) (lifecycle.ListResult, error) {
	s.filter, s.page = f, p
	r := lifecycle.ListResult{Items: []lifecycle.Sandbox{}, Page: p, Total: s.total}
	if s.total > 0 {
		r.Items = append(r.Items, s.sandbox)
	}
	return r, s.saw("list")
}
func (s *scripted) Delete(_ context.Context, id string) error { return s.saw("delete " + id) }
func (s *scripted) Pause(_ context.Context, id string) error  { return s.saw("pause " + id) }
func (s *scripted) Resume(_ context.Context, id string) error { return s.saw("resume " + id) }

func (s *scripted) Renew(_ context.Context, id string, at time.Time) (time.Time, error) {
	s.renewed = at
	return s.stored, s.saw("renew " + id)
}

func (s *scripted) PatchMetadata(_ context.Context, id string, patch map[string]*string) (lifecycle.Sandbox, error) {
	s.patch = patch
	return s.sandbox, s.saw("patch " + id)
}

func (s *scripted) ExecdToken(wanted string) secret.Text {
	if wanted == id {
		return secret.New(token)
	}
	return secret.Text{}
}

func (s *scripted) AccessToken(wanted string) secret.Text {
	if e, ok := s.directory.Lookup(wanted); ok && e.SecureSum != nil {
		return secret.New(accessToken)
	}
	return secret.Text{}
}
func (s *scripted) Directory() *lifecycle.Directory { return &s.directory }
func (s *scripted) Ready() lifecycle.Readiness      { return s.ready }

func (s *scripted) NotFound(string) *apierror.Error {
	return apierror.New(http.StatusNotFound, "DOCKER::SANDBOX_NOT_FOUND", "There is no such sandbox.")
}

// edge is a Handler behind real classification and authentication.
type edge struct {
	t       *testing.T
	service *scripted
	api     *api.Handler
	handler http.Handler
	log     *safeBuffer
}

// safeBuffer lets concurrent requests log into one buffer.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newEdge(t *testing.T, change ...func(*api.Options)) *edge {
	t.Helper()
	e := &edge{t: t, log: &safeBuffer{}, service: &scripted{
		sandbox: lifecycle.Sandbox{
			ID: id, Image: "python:3.11", Platform: &lifecycle.Platform{OS: "linux", Arch: "amd64"},
			Status:     lifecycle.Status{State: lifecycle.Running, Reason: "CONTAINER_RUNNING", Message: "up", Since: born},
			Metadata:   map[string]string{"team": "ml"},
			Entrypoint: []string{"tail", "-f", "/dev/null"},
			ExpiresAt:  born.Add(time.Hour), CreatedAt: born,
		},
		ready: lifecycle.Readiness{Ready: true, Components: map[string]string{"store": "ok"}},
	}}
	_, err := e.service.directory.Publish(lifecycle.Entry{ID: id, State: lifecycle.Running, Address: netip.MustParseAddr("172.17.0.9")})
	require.NoError(t, err)
	log := slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	options := api.Options{Service: e.service, Log: log, CORS: auth.NewCORS("https://console.example.com")}
	for _, c := range change {
		c(&options)
	}
	e.api, err = api.New(options)
	require.NoError(t, err)
	table, err := route.NewTable(route.Settings{WildcardBase: "sandbox.example.com", Header: true})
	require.NoError(t, err)
	guard, err := auth.New(auth.Options{Table: table, Keys: auth.NewKeys(auth.Key{Name: "main", Value: secret.New(key)}), CORS: options.CORS, Logger: log})
	require.NoError(t, err)
	e.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, refused := guard.Admit(w, r)
		if refused != nil {
			guard.Refuse(w, r, refused)
			return
		}
		e.api.ServeHTTP(w, admitted)
	})
	return e
}

type header map[string]string

// do sends one request with the key; headers of the test win.
func (e *edge) do(method, target, body string, headers ...header) *httptest.ResponseRecorder {
	e.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.Host = "edge.example.com:8080"
	r.Header.Set("OPEN-SANDBOX-API-KEY", key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		for name, value := range h {
			switch {
			case name == "Host":
				r.Host = value
			case value == "":
				r.Header.Del(name)
			default:
				r.Header.Set(name, value)
			}
		}
	}
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	return w
}

type answer struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Detail  []apierror.Detail `json:"detail"`
}

// wantError checks status, code and the envelope that every error has.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code string) answer {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NotEmpty(t, w.Header().Get("X-Request-ID"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var a answer
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	require.Equal(t, code, a.Code)
	require.NotEmpty(t, a.Message)
	require.Equal(t, status == http.StatusUnprocessableEntity, len(a.Detail) > 0)
	return a
}
