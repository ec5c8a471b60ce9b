package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Sandbox is the wire form of a sandbox (contract 01 §5.4).
type Sandbox struct {
	ID     string `json:"id"`
	Status struct {
		State   string `json:"state"`
		Reason  string `json:"reason"`
		Message string `json:"message"`

		LastTransitionAt time.Time `json:"lastTransitionAt"`
	} `json:"status"`
	Image      *struct{ URI string } `json:"image"`
	Metadata   map[string]string     `json:"metadata"`
	Entrypoint []string              `json:"entrypoint"`
	ExpiresAt  *time.Time            `json:"expiresAt"`
	CreatedAt  time.Time             `json:"createdAt"`
}

// CreateRequest is the wire form of a create request.
type CreateRequest struct {
	Image struct {
		URI string `json:"uri"`
	} `json:"image"`
	Entrypoint     []string          `json:"entrypoint"`
	Timeout        int               `json:"timeout,omitempty"`
	ResourceLimits map[string]string `json:"resourceLimits"`
	Env            map[string]string `json:"env,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Extensions     map[string]string `json:"extensions,omitempty"`
	SecureAccess   bool              `json:"secureAccess,omitempty"`
}

// Endpoint is where a port of a sandbox is reached, without a scheme.
type Endpoint struct {
	Endpoint string            `json:"endpoint"`
	Headers  map[string]string `json:"headers"`
}

// APIError is an error answer of the server.
type APIError struct {
	Status        int
	Code, Message string
}

func (e *APIError) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Create asks for a sandbox and returns it as answered.
func (s *Server) Create(ctx context.Context, r CreateRequest) (Sandbox, error) {
	if r.ResourceLimits == nil {
		r.ResourceLimits = map[string]string{}
	}
	var out Sandbox
	return out, s.Call(ctx, http.MethodPost, "/v1/sandboxes", r, &out)
}

// Get reads one sandbox.
func (s *Server) Get(ctx context.Context, id string) (Sandbox, error) {
	var out Sandbox
	return out, s.Call(ctx, http.MethodGet, "/v1/sandboxes/"+id, nil, &out)
}

// List reads one page; query may hold state, metadata, page and pageSize.
func (s *Server) List(ctx context.Context, query url.Values) ([]Sandbox, error) {
	var out struct{ Items []Sandbox }
	return out.Items, s.Call(ctx, http.MethodGet, "/v1/sandboxes?"+query.Encode(), nil, &out)
}

// Delete ends a sandbox.
func (s *Server) Delete(ctx context.Context, id string) error {
	return s.Call(ctx, http.MethodDelete, "/v1/sandboxes/"+id, nil, nil)
}

// Renew sets the expiry.
func (s *Server) Renew(ctx context.Context, id string, at time.Time) error {
	return s.Call(ctx, http.MethodPost, "/v1/sandboxes/"+id+"/renew-expiration",
		map[string]string{"expiresAt": at.UTC().Format(time.RFC3339Nano)}, nil)
}

// Endpoint asks where a port is reached; query may hold use_server_proxy or expires.
func (s *Server) Endpoint(ctx context.Context, id string, port int, query string) (Endpoint, error) {
	var out Endpoint
	return out, s.Call(ctx, http.MethodGet, fmt.Sprintf("/v1/sandboxes/%s/endpoints/%d?%s", id, port, query), nil, &out)
}

// Call makes one API call. A status of 400 and more is an *APIError.
func (s *Server) Call(ctx context.Context, method, path string, in, out any) error {
	return s.CallWith(ctx, nil, method, path, in, out)
}

// CallWith is Call with further headers.
func (s *Server) CallWith(ctx context.Context, headers map[string]string, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("OPEN-SANDBOX-API-KEY", s.Key)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 400 {
		e := &APIError{Status: res.StatusCode}
		if err := json.Unmarshal(answer, e); err != nil {
			e.Message = string(answer)
		}
		return e
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
