package docs_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/api/docs"
)

func files(t *testing.T) map[string]*docs.File {
	t.Helper()
	all, err := docs.Files()
	require.NoError(t, err)
	return all
}

func get(f http.Handler, method string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func TestEveryFileIsLockedDown(t *testing.T) {
	for path, f := range files(t) {
		w := get(f, "GET")
		require.Equal(t, 200, w.Code, path)
		require.NotZero(t, w.Body.Len(), path)
		require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
			w.Header().Get("Content-Security-Policy"), path)
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
		require.NotEmpty(t, w.Header().Get("Content-Type"))
		require.NotEmpty(t, w.Header().Get("Etag"))

		head := get(f, "HEAD")
		require.Zero(t, head.Body.Len())
		require.Equal(t, w.Header(), head.Header())
		again := get(f, "GET", "If-None-Match", w.Header().Get("Etag"))
		require.Equal(t, 304, again.Code, path)
		require.Zero(t, again.Body.Len())
	}
}

var (
	reference = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	inline    = regexp.MustCompile(`(?i)<style|<script>|<script [^>]*>[^<]|style=|\son[a-z]+=|javascript:`)
)

// The pages refer to their own files only, and hold no inline script or style.
func TestPagesReferToNothingElse(t *testing.T) {
	all := files(t)
	for _, page := range []string{"/docs", "/redoc"} {
		body := get(all[page], "GET").Body.String()
		require.False(t, inline.MatchString(body), page)
		for _, m := range reference.FindAllStringSubmatch(body, -1) {
			if m[1] != "openapi.json" {
				require.Contains(t, all, "/"+m[1], "relative, so that the pages work under a prefix")
			}
		}
	}
	redirect := get(all["/docs/oauth2-redirect"], "GET").Body.String()
	require.NotContains(t, redirect, "<script", "inert")
	for _, own := range []string{"/docs/assets/swagger.js", "/redoc/assets/redoc.js", "/redoc/assets/redoc-styles.js"} {
		source := get(all[own], "GET").Body.String()
		for _, word := range []string{"location", "localStorage", "sessionStorage", "://", "eval", "innerHTML"} {
			require.NotContains(t, source, word, own)
		}
	}
	swagger := get(all["/docs/assets/swagger.js"], "GET").Body.String()
	require.Contains(t, swagger, "queryConfigEnabled: false")
	require.Contains(t, swagger, "persistAuthorization: false")
}

func TestCompressedFiles(t *testing.T) {
	f := files(t)["/redoc/assets/redoc.standalone.js"]
	plain := get(f, "GET", "Accept-Encoding", "br, gzip;q=0")
	require.Empty(t, plain.Header().Get("Content-Encoding"))
	packed := get(f, "GET", "Accept-Encoding", "br, gzip;q=0.5")
	require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", packed.Header().Get("Vary"))
	require.NotEqual(t, plain.Header().Get("Etag"), packed.Header().Get("Etag"))
	reader, err := gzip.NewReader(packed.Body)
	require.NoError(t, err)
	unpacked, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Equal(t, plain.Body.Bytes(), unpacked)

	readme, err := os.ReadFile("assets/README.md")
	require.NoError(t, err)
	sum := sha256.Sum256(unpacked)
	require.Contains(t, string(readme), "| `redoc.standalone.js`, unpacked | `"+hex.EncodeToString(sum[:])+"` |", "the bundle is the published one")
	require.True(t, strings.Contains(string(unpacked[:4096]), "redoc"))
}
