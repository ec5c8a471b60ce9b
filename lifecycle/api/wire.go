package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// stamp is a timestamp as every client's parser reads it: UTC, "Z", and six
// fractional digits or none (contract 01 §5.1).
type stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s stamp) MarshalText() ([]byte, error) {
	at := time.Time(s).UTC().Truncate(time.Microsecond)
	layout := "2006-01-02T15:04:05Z"
	if at.Nanosecond() != 0 {
		layout = "2006-01-02T15:04:05.000000Z"
	}
	return []byte(at.Format(layout)), nil
}

// optional gives nil for the zero time: absent members are left out, never null.
func optional(at time.Time) *stamp {
	if at.IsZero() {
		return nil
	}
	s := stamp(at)
	return &s
}

type wireStatus struct {
	State            lifecycle.State `json:"state"`
	Reason           string          `json:"reason,omitempty"`
	Message          string          `json:"message,omitempty"`
	LastTransitionAt *stamp          `json:"lastTransitionAt,omitempty"`
}

type wireImage struct {
	URI string `json:"uri"`
}

type wirePlatform struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

// wireSandbox is the Sandbox object of contract 01 §5.4.
type wireSandbox struct {
	ID         string            `json:"id"`
	Image      *wireImage        `json:"image,omitempty"`
	SnapshotID string            `json:"snapshotId,omitempty"`
	Platform   *wirePlatform     `json:"platform,omitempty"`
	Status     wireStatus        `json:"status"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Entrypoint []string          `json:"entrypoint"` // always there: two clients fail without it
	ExpiresAt  *stamp            `json:"expiresAt,omitempty"`
	CreatedAt  stamp             `json:"createdAt"`
}

func sandboxOf(s lifecycle.Sandbox) wireSandbox {
	w := wireSandbox{
		ID:         s.ID,
		SnapshotID: s.SnapshotID,
		Status: wireStatus{
			State:            s.Status.State,
			Reason:           s.Status.Reason,
			Message:          s.Status.Message,
			LastTransitionAt: optional(s.Status.Since),
		},
		Metadata:   maps.Clone(s.Metadata),
		Entrypoint: append([]string{}, s.Entrypoint...),
		ExpiresAt:  optional(s.ExpiresAt),
		CreatedAt:  stamp(s.CreatedAt),
	}
	if s.Image != "" {
		w.Image = &wireImage{URI: s.Image}
	}
	if s.Platform != nil {
		w.Platform = &wirePlatform{OS: s.Platform.OS, Arch: s.Platform.Arch}
	}
	return w
}

// createdOf is the CreateSandboxResponse: a Sandbox without image and snapshot.
func createdOf(s lifecycle.Sandbox) wireSandbox {
	w := sandboxOf(s)
	w.Image, w.SnapshotID = nil, ""
	return w
}

type wirePagination struct {
	Page        int64 `json:"page"`
	PageSize    int64 `json:"pageSize"`
	TotalItems  int   `json:"totalItems"`
	TotalPages  int   `json:"totalPages"`
	HasNextPage bool  `json:"hasNextPage"`
}

type wireList struct {
	Items      []wireSandbox  `json:"items"`
	Pagination wirePagination `json:"pagination"`
}

type wireEndpoint struct {
	Endpoint string            `json:"endpoint"`
	Headers  map[string]string `json:"headers,omitempty"`
}

// writeJSON answers with a value of ours.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	body.Truncate(body.Len() - 1) // the encoder's newline
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the client may be gone; nobody is left to tell
	return nil
}

// writeEmpty answers a success without a body. The JavaScript client parses JSON
// unless the status is 204 or Content-Length is 0, so the header is explicit.
func writeEmpty(w http.ResponseWriter, status int) error {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if status != http.StatusNoContent {
		h.Set("Content-Length", "0")
	}
	w.WriteHeader(status)
	return nil
}
