package ingress_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkHandler is one request through authentication and the handler to a sandbox
// over loopback, as BenchmarkDirect is without the edge.
func BenchmarkHandler(b *testing.B) {
	e := newEdge(b)
	answer := make([]byte, 100)
	s := e.sandbox(b, id, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }, 8080)
	h, _ := newHandlerBehindAuth(b, e)
	for _, f := range forms("8080") {
		b.Run(f.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "http://"+f.host+f.prefix+"/a", nil)
			r.RequestURI = f.prefix + "/a"
			if f.header != "" {
				r.Header.Set("OpenSandbox-Ingress-To", f.header)
			}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
	b.Run("without the edge", func(b *testing.B) {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		r, err := http.NewRequest("GET", s.URL+"/a", nil)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			res, err := transport.RoundTrip(r)
			require.NoError(b, err)
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
}
