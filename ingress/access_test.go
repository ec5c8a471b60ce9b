package ingress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const wsHandshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

func TestExecdTokenIsCheckedBeforeDialling(t *testing.T) {
	e := newEdge(t)
	addr, dialled := rawBackend(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, ExecdTokenSum: tokenSum("T")}, addr, 44772, 8080)
	connections := 0
	for _, c := range []struct {
		name, method, path string
		token              []string
		code               string // "" = granted
	}{
		{name: "no token", method: "POST", path: "/command", code: ingress.CodeMissingExecdToken},
		{name: "empty token", method: "POST", path: "/command", token: []string{""}, code: ingress.CodeMissingExecdToken},
		{name: "wrong token", method: "GET", path: "/files", token: []string{"t"}, code: ingress.CodeInvalidExecdToken},
		{name: "another sandbox's", method: "GET", path: "/files", token: []string{"T2"}, code: ingress.CodeInvalidExecdToken},
		{name: "the API key", method: "GET", path: "/files", token: []string{apiKey}, code: ingress.CodeInvalidExecdToken},
		{name: "two tokens", method: "GET", path: "/files", token: []string{"T", "x"}, code: ingress.CodeInvalidExecdToken},
		{name: "right token", method: "POST", path: "/command", token: []string{"T"}},
		{name: "ping", method: "GET", path: "/ping"},
		{name: "ping with a query", method: "GET", path: "/ping?x"},
		{name: "posted ping", method: "POST", path: "/ping", code: ingress.CodeMissingExecdToken},
		{name: "below ping", method: "GET", path: "/ping/", code: ingress.CodeMissingExecdToken},
		{name: "above ping", method: "GET", path: "/ping/../files", code: ingress.CodeMissingExecdToken},
		{name: "encoded ping", method: "GET", path: "/%70ing", code: ingress.CodeMissingExecdToken},
		{name: "nested proxy", method: "GET", path: "/proxy/8080/", code: ingress.CodeMissingExecdToken},
	} {
		for _, f := range forms("44772") {
			t.Run(c.name+"/"+f.name, func(t *testing.T) {
				touches := e.touches.Load()
				head := c.method + " " + f.prefix + c.path + " HTTP/1.1\r\nHost: " + f.host + "\r\nConnection: close\r\n"
				if f.header != "" {
					head += "OpenSandbox-Ingress-To: " + f.header + "\r\n"
				}
				for _, tok := range c.token {
					head += "X-EXECD-ACCESS-TOKEN: " + tok + "\r\n"
				}
				res, body := e.raw(t, head+"\r\n")
				if c.code == "" {
					connections++
					require.Equal(t, 200, res.StatusCode, body)
					if strings.HasPrefix(c.path, "/ping") {
						touches-- // whoever shows nothing keeps nothing alive
					}
					require.Equal(t, touches+1, e.touches.Load())
				} else {
					require.Equal(t, 401, res.StatusCode)
					require.Equal(t, c.code, code(t, body))
					require.Equal(t, touches, e.touches.Load(), "a refused request keeps nothing alive")
				}
				require.Equal(t, connections, dialled())
			})
		}
	}
	for _, f := range forms("44772") { // a WebSocket is no way around, not even as a ping
		extra := ""
		if f.header != "" {
			extra = "OpenSandbox-Ingress-To: " + f.header + "\r\n"
		}
		res, _ := e.raw(t, "GET "+f.prefix+"/ping HTTP/1.1\r\nHost: "+f.host+"\r\n"+wsHandshake+extra+"\r\n")
		require.Equal(t, 401, res.StatusCode, f.name)
	}
	require.Equal(t, connections, dialled())

	res, _ := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 200, res.StatusCode, "other ports are the application's")
}

func TestTheEdgeNeverAddsAToken(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 44772)
	require.NotContains(t, sentAs(t, e, &got, direct("44772"), "44772").Header, "X-Execd-Access-Token")
}
