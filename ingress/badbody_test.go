package ingress_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/upstream"
)

// A client that sends no body is told so; one that leaves in the middle is told nothing.
// The sandbox takes neither for a whole request.
func TestChunksThatAreNoneAreAnswered(t *testing.T) {
	for _, core := range []upstream.Core{upstream.Direct, upstream.NetHTTP} {
		whole := make(chan string, 1)
		e := newEdge(t, func(o *ingress.Options) { o.Core = core })
		e.sandbox(t, id, func(_ http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil {
				whole <- string(body)
			}
		}, 8080)
		for _, f := range forms("8080") {
			head := f.head("POST", "/", "Transfer-Encoding: chunked") + "\r\n"
			for _, chunks := range []string{"3\nabc", "-3\r\nabc\r\n0\r\n\r\n", "3;a\nX", "1\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\nx\r\n"} {
				res, body := e.raw(t, head+chunks)
				require.Equal(t, http.StatusBadRequest, res.StatusCode, chunks)
				require.Equal(t, "GENERAL::INVALID_BODY", code(t, body))
				require.True(t, res.Close, "what follows is no request")
			}
			c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
			require.NoError(t, err)
			require.NoError(t, c.SetDeadline(time.Now().Add(eventually)))
			_, err = io.WriteString(c, head+"3\r\nab")
			require.NoError(t, err)
			require.NoError(t, c.(*net.TCPConn).CloseWrite())
			_, err = http.ReadResponse(bufio.NewReader(c), nil)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.NoError(t, c.Close())
		}
		require.Empty(t, whole)
	}
}
