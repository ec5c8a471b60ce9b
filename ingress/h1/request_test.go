package h1_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

func TestRequestHead(t *testing.T) {
	var h h1.RequestHead
	h.Begin("GET", "//a%2Fb/../<\xff>", "q=%20&k", true)
	h.Field("Host", "10.0.0.1:80")
	h.Length(12)
	text, err := h.End()
	require.NoError(t, err)
	require.Equal(t, "GET //a%2Fb/../<\xff>?q=%20&k HTTP/1.1\r\nHost: 10.0.0.1:80\r\nContent-Length: 12\r\n\r\n", string(text))

	h.Begin("OPTIONS", "", "", true)
	text, err = h.End()
	require.NoError(t, err)
	require.Equal(t, "OPTIONS /? HTTP/1.1\r\n\r\n", string(text))
}

func TestARequestIsOneRequest(t *testing.T) {
	for _, c := range []struct{ method, path, query, name, value string }{
		{"GET /x", "/", "", "A", "b"},
		{"", "/", "", "A", "b"},
		{"GET", "/a b", "", "A", "b"},
		{"GET", "/a\r\nX: y", "", "A", "b"},
		{"GET", "/", "a b", "A", "b"},
		{"GET", "/", "a\x7f", "A", "b"},
		{"GET", "/", "", "A", "b\r\nX: y"},
		{"GET", "/", "", "A", "b\nX: y"},
		{"GET", "/", "", "A", "b\rX: y"},
		{"GET", "/", "", "A: b\r\nX", "y"},
		{"GET", "/", "", "A", "b\x00"},
	} {
		var h h1.RequestHead
		h.Begin(c.method, c.path, c.query, false)
		h.Field(c.name, c.value)
		_, err := h.End()
		require.ErrorIs(t, err, h1.ErrUnsendable, "%q", c)
	}
	_, err := h1.AppendTrailer(nil, map[string][]string{"X-A": {"1\r\n\r\nGET / HTTP/1.1"}})
	require.ErrorIs(t, err, h1.ErrUnsendable)
}
