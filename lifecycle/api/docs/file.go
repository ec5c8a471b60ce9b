package docs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// policy lets a page load what this server serves beside it, and nothing else. There
// is no inline script or style, so none is allowed.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"

// File is one page, script, style or image, served from memory.
type File struct {
	contentType string
	etag        string
	plain       []byte
	compressed  []byte // gzip; nil = not worth it
}

// NewFile makes a file of its uncompressed content.
func NewFile(contentType string, content []byte) *File {
	sum := sha256.Sum256(content)
	return &File{contentType: contentType, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, plain: content}
}

// newCompressed makes a file of its gzip form, which is how large assets are kept.
func newCompressed(contentType string, compressed []byte) (*File, error) {
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("opening an embedded asset: %w", err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("unpacking an embedded asset: %w", err)
	}
	f := NewFile(contentType, plain)
	f.compressed = compressed
	return f, nil
}

// ServeHTTP implements http.Handler for GET and HEAD.
func (f *File) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	// Unversioned paths: a browser asks again, and gets 304 until the server is updated.
	h.Set("Cache-Control", "no-cache")
	etag, body := f.etag, f.plain
	if f.compressed != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			etag, body = strings.TrimSuffix(f.etag, `"`)+`-gzip"`, f.compressed
		}
	}
	h.Set("Etag", etag)
	if strings.TrimPrefix(r.Header.Get("If-None-Match"), "W/") == etag {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone
	}
}

func acceptsGzip(accepted string) bool {
	for _, part := range strings.Split(accepted, ",") {
		coding, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			return strings.TrimRight(strings.ReplaceAll(quality, " ", ""), "0.") != "q="
		}
	}
	return false
}
