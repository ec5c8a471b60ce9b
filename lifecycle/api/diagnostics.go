package api

import (
	"context"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
)

// Diagnostics is what the API needs of *diagnostics.Reporter.
type Diagnostics interface {
	Logs(ctx context.Context, id string, lines int, since time.Time) (diagnostics.Report, error)
	Events(ctx context.Context, id string, scope diagnostics.Scope, limit int) (diagnostics.Report, error)
	Inspect(ctx context.Context, id string) (diagnostics.Report, error)
	Summary(ctx context.Context, id string, lines, events int) (string, error)
}

// Bounds of the parameters (contract 01 §14.2). Scoped requests that name none get as much
// as there may be: their clients have no way to ask for more.
const (
	maxTail       = 10000
	defaultTail   = 100
	summaryTail   = 50
	maxEvents     = 500
	defaultEvents = 50
	summaryEvents = 20
)

func (h *Handler) diagnosticLogs(w http.ResponseWriter, r *request) error {
	text, scoped := r.last("scope")
	absent := int64(defaultTail)
	if scoped {
		absent = maxTail
	}
	var problems decode.Problems
	tail := r.intBetween(&problems, "tail", 1, maxTail, absent)
	if err := h.diagnosable(&problems); err != nil {
		return err
	}
	var since time.Time
	if text, given := r.last("since"); given {
		since = time.Now().Add(-ago(text))
	}
	collect := func() (diagnostics.Report, error) {
		return h.options.Diagnostics.Logs(r.Context(), r.params["sandboxId"], int(tail), since)
	}
	if !scoped {
		return deprecated(w, diagnostics.NoLogs, collect)
	}
	scope, err := diagnostics.KindLogs.ParseScope(text)
	if err != nil {
		return err
	}
	return describe(w, r, diagnostics.KindLogs, scope, collect)
}

func (h *Handler) diagnosticEvents(w http.ResponseWriter, r *request) error {
	text, scoped := r.last("scope")
	absent := int64(defaultEvents)
	if scoped {
		absent = maxEvents
	}
	var problems decode.Problems
	limit := r.intBetween(&problems, "limit", 1, maxEvents, absent)
	if err := h.diagnosable(&problems); err != nil {
		return err
	}
	scope := diagnostics.ScopeRuntime
	collect := func() (diagnostics.Report, error) {
		return h.options.Diagnostics.Events(r.Context(), r.params["sandboxId"], scope, int(limit))
	}
	if !scoped {
		return deprecated(w, "", collect)
	}
	var err error
	if scope, err = diagnostics.KindEvents.ParseScope(text); err != nil {
		return err
	}
	return describe(w, r, diagnostics.KindEvents, scope, collect)
}

func (h *Handler) diagnosticInspect(w http.ResponseWriter, r *request) error {
	if err := h.diagnosable(&decode.Problems{}); err != nil {
		return err
	}
	report, err := h.options.Diagnostics.Inspect(r.Context(), r.params["sandboxId"])
	if err != nil {
		return err
	}
	return writeText(w, report.Plain(""))
}

func (h *Handler) diagnosticSummary(w http.ResponseWriter, r *request) error {
	var problems decode.Problems
	tail := r.intBetween(&problems, "tail", 1, maxTail, summaryTail)
	events := r.intBetween(&problems, "event_limit", 1, maxEvents, summaryEvents)
	if err := h.diagnosable(&problems); err != nil {
		return err
	}
	text, err := h.options.Diagnostics.Summary(r.Context(), r.params["sandboxId"], int(tail), int(events))
	if err != nil {
		return err
	}
	return writeText(w, text)
}

// diagnosable reports a client's mistakes first, and then that there are no diagnostics.
func (h *Handler) diagnosable(problems *decode.Problems) error {
	if err := problems.Err(); err != nil {
		return err
	}
	if h.options.Diagnostics == nil {
		return apierror.New(http.StatusNotImplemented, "DIAGNOSTICS_NOT_IMPLEMENTED", "This runtime does not support diagnostics.")
	}
	return nil
}

// deprecated answers the text form of a report that has a scoped form too.
func deprecated(w http.ResponseWriter, empty string, collect func() (diagnostics.Report, error)) error {
	report, err := collect()
	if err != nil {
		return err
	}
	w.Header().Set("Deprecation", "true")
	return writeText(w, report.Plain(empty))
}

// wireDescriptor is the scoped form (contract 01 §14.1), always with its content inline.
type wireDescriptor struct {
	SandboxID     string   `json:"sandboxId"`
	Kind          string   `json:"kind"`
	Scope         string   `json:"scope"`
	Delivery      string   `json:"delivery"`
	ContentType   string   `json:"contentType"`
	Content       string   `json:"content"`
	ContentLength int      `json:"contentLength"` // bytes
	Truncated     bool     `json:"truncated"`
	Warnings      []string `json:"warnings,omitempty"`
}

func describe(w http.ResponseWriter, r *request, kind diagnostics.Kind, scope diagnostics.Scope, collect func() (diagnostics.Report, error)) error {
	report, err := collect()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, wireDescriptor{
		SandboxID: r.params["sandboxId"], Kind: string(kind), Scope: string(scope),
		Delivery: "inline", ContentType: plainText, Content: report.Text, ContentLength: len(report.Text),
		Truncated: report.Truncated, Warnings: report.Warnings,
	})
}

var sinceGrammar = regexp.MustCompile(`^([0-9]+)\s*([smhdSMHD])$`)

// ago reads how long ago a "since" is. What cannot be read is ten minutes, as the
// contract has it.
func ago(text string) time.Duration {
	const unreadable = 10 * time.Minute
	parts := sinceGrammar.FindStringSubmatch(text)
	if parts == nil {
		return unreadable
	}
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[strings.ToLower(parts[2])]
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n > int64(math.MaxInt64/unit) {
		return math.MaxInt64 // longer ago than anything was written
	}
	return time.Duration(n) * unit
}

const plainText = "text/plain; charset=utf-8"

// writeText answers with text that sandboxes had a hand in.
func writeText(w http.ResponseWriter, text string) error {
	h := w.Header()
	h.Set("Content-Type", plainText)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(text)) // the client may be gone; nobody is left to tell
	return nil
}
