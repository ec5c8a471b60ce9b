package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// Form is one way to write a route into a sandbox.
type Form string

// The four route forms.
const (
	Direct   Form = "direct"
	Wildcard Form = "wildcard"
	URI      Form = "uri"
	Header   Form = "header"
)

// Forms lists all route forms.
var Forms = []Form{Direct, Wildcard, URI, Header}

// Route is a way to one port of one sandbox.
type Route struct {
	base    string // http://authority/prefix, without a trailing slash
	headers http.Header
	client  *http.Client
}

// Route writes the route to a port in the given form. The token, when there is
// one, is what the endpoint answer carries for execd.
func (s *Server) Route(form Form, id string, port int, token string) Route {
	r := Route{headers: http.Header{}, client: &http.Client{Transport: &http.Transport{
		// Wildcard hosts need no DNS here: everything is dialled at the server.
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Addr)
		},
		DisableCompression: true,
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	switch form {
	case Direct:
		r.base = fmt.Sprintf("http://%s/v1/sandboxes/%s/proxy/%d", s.Addr, id, port)
	case Wildcard:
		_, listen, _ := net.SplitHostPort(s.Addr)
		r.base = fmt.Sprintf("http://%s-%d.%s:%s", id, port, WildcardBase, listen)
	case URI:
		r.base = fmt.Sprintf("http://%s/%s/%d", s.Addr, id, port)
	case Header:
		r.base = "http://" + s.Addr
		r.headers.Set("OpenSandbox-Ingress-To", fmt.Sprintf("%s-%d", id, port))
	}
	if token != "" {
		r.headers.Set("X-EXECD-ACCESS-TOKEN", token)
	}
	return r
}

// Signed writes a signed route in the given form, which is not Direct.
func (s *Server) Signed(form Form, id string, port int, expires, signature string) Route {
	r := s.Route(form, id, port, "")
	plain := fmt.Sprintf("%s-%d", id, port)
	switch form {
	case Wildcard:
		r.base = strings.Replace(r.base, plain, plain+"-"+expires+"-"+signature, 1)
	case URI:
		r.base += "/" + expires + "/" + signature
	case Header:
		r.headers.Set("OpenSandbox-Ingress-To", plain+"-"+expires+"-"+signature)
	case Direct:
		panic("direct routes have no signature")
	}
	return r
}

// With returns the route with one more header on every request.
func (r Route) With(name, value string) Route {
	r.headers = r.headers.Clone()
	r.headers.Set(name, value)
	return r
}

// At returns the route with another authority in its requests; the server is dialled as before.
func (r Route) At(authority string) Route {
	u, err := url.Parse(r.base)
	if err != nil {
		panic(err) // Route wrote it
	}
	u.Host = authority
	r.base = strings.TrimSuffix(u.String(), "/")
	return r
}

// Do makes a request below the route.
func (r Route) Do(ctx context.Context, method, path string, body io.Reader, contentType string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header = r.headers.Clone()
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return r.client.Do(req)
}

// Read makes a request and returns status and body.
func (r Route) Read(ctx context.Context, method, path string, body io.Reader, contentType string) (int, string, error) {
	res, err := r.Do(ctx, method, path, body, contentType)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	return res.StatusCode, string(b), err
}

// Close drops the route's idle connections.
func (r Route) Close() { r.client.CloseIdleConnections() }

// Command runs a shell command through execd and returns its standard output.
func (r Route) Command(ctx context.Context, command string) (string, error) {
	in, _ := json.Marshal(map[string]string{"command": command})
	status, body, err := r.Read(ctx, http.MethodPost, "/command", bytes.NewReader(in), "application/json")
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("/command answered %d: %s", status, body)
	}
	var out strings.Builder
	complete := false
	for line := range strings.SplitSeq(body, "\n") {
		if line == "" {
			continue
		}
		var event struct {
			Type, Text string
			Error      *struct{ EName, EValue string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			return "", fmt.Errorf("event %q: %w", line, err)
		}
		switch event.Type {
		case "stdout":
			out.WriteString(event.Text + "\n")
		case "error":
			return out.String(), fmt.Errorf("%s: %s", event.Error.EName, event.Error.EValue)
		case "execution_complete":
			complete = true
		}
	}
	if !complete {
		return out.String(), fmt.Errorf("the stream ended without a terminal event: %s", body)
	}
	return out.String(), nil
}

// Upload writes a file through execd.
func (r Route) Upload(ctx context.Context, path string, content io.Reader) error {
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() {
		pw.CloseWithError(func() error {
			meta, err := form.CreatePart(filePart("metadata", "metadata", "application/json"))
			if err != nil {
				return err
			}
			if err := json.NewEncoder(meta).Encode(map[string]any{"path": path, "mode": 644}); err != nil {
				return err
			}
			file, err := form.CreatePart(filePart("file", "file", "application/octet-stream"))
			if err != nil {
				return err
			}
			if _, err := io.Copy(file, content); err != nil {
				return err
			}
			return form.Close()
		}())
	}()
	status, body, err := r.Read(ctx, http.MethodPost, "/files/upload", pr, form.FormDataContentType())
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("/files/upload answered %d: %s", status, body)
	}
	return nil
}

func filePart(name, filename, contentType string) textproto.MIMEHeader {
	return textproto.MIMEHeader{
		"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, name, filename)},
		"Content-Type":        {contentType},
	}
}

// Download reads a file through execd.
func (r Route) Download(ctx context.Context, path string) (string, error) {
	status, body, err := r.Read(ctx, http.MethodGet, "/files/download?path="+path, nil, "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("/files/download answered %d: %s", status, body)
	}
	return body, err
}

// WebSocket opens a WebSocket below the route.
func (r Route) WebSocket(ctx context.Context, path string) (*websocket.Conn, error) {
	conn, res, err := websocket.Dial(ctx, r.base+path, &websocket.DialOptions{HTTPClient: r.client, HTTPHeader: r.headers})
	if err != nil && res != nil {
		return nil, fmt.Errorf("websocket answered %s: %w", res.Status, err)
	}
	return conn, err
}
