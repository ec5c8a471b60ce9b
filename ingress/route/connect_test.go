package route_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
)

// Extended CONNECT opens WebSockets into sandboxes and nothing else.
func TestConnect(t *testing.T) {
	tab := everything(t)
	const sb, api = uuid + "-8080.sb.example.com", "api.example.com"
	for _, c := range []struct {
		name string
		r    route.Request
		code string // "" = a sandbox route
	}{
		{"plain", route.Request{Method: "CONNECT", Authority: sb, Path: sb}, route.CodeMethodNotAllowed},
		{"trace", route.Request{Method: "TRACE", Authority: sb, Path: "/"}, route.CodeMethodNotAllowed},
		{"trace with a protocol", route.Request{Method: "TRACE", Protocol: "websocket", Authority: sb, Path: "/"}, route.CodeMethodNotAllowed},
		{"sandbox host", route.Request{Method: "CONNECT", Protocol: "websocket", Authority: sb, Path: "/ws"}, ""},
		{"in other letters", route.Request{Method: "CONNECT", Protocol: "WebSocket", Authority: sb, Path: "/ws"}, ""},
		{"proxy route", route.Request{Method: "CONNECT", Protocol: "websocket", Authority: api, Path: "/sandboxes/x/proxy/80/ws"}, ""},
		{"another protocol", route.Request{Method: "CONNECT", Protocol: "connect-udp", Authority: sb, Path: "/"}, route.CodeBadProtocol},
		{"a list of protocols", route.Request{Method: "CONNECT", Protocol: "websocket, h2c", Authority: sb, Path: "/"}, route.CodeBadProtocol},
		{"no CONNECT", route.Request{Method: "GET", Protocol: "websocket", Authority: sb, Path: "/"}, route.CodeBadProtocol},
		{"the API", route.Request{Method: "CONNECT", Protocol: "websocket", Authority: api, Path: "/v1/sandboxes"}, route.CodeMethodNotAllowed},
		{"a public path", route.Request{Method: "CONNECT", Protocol: "websocket", Authority: api, Path: "/health"}, route.CodeMethodNotAllowed},
		{"a method with a blank", route.Request{Method: "GET /x HTTP/1.1", Authority: sb, Path: "/"}, route.CodeBadMethod},
		{"no method", route.Request{Authority: sb, Path: "/"}, route.CodeBadMethod},
		{"two hosts", route.Request{Method: "CONNECT", Protocol: "websocket", Authority: sb, HostFields: []string{api}, Path: "/"}, route.CodeBadAuthority},
		{"no path", route.Request{Method: "CONNECT", Protocol: "websocket", Authority: sb, Path: "*"}, route.CodeBadPath},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := tab.Classify(c.r)
			if c.code != "" {
				require.NotNil(t, v.Err)
				require.Equal(t, c.code, v.Err.Code)
				require.Equal(t, route.None, v.Class)
				return
			}
			require.Nil(t, v.Err)
			require.Contains(t, []route.Class{route.Proxy, route.Gateway}, v.Class)
		})
	}
}

// The two server libraries tell the protocol in different places.
func TestProtocolOfARequest(t *testing.T) {
	for _, c := range []struct {
		name  string
		major int
		proto string
		field string
		want  string
	}{
		{"HTTP/2", 2, "HTTP/2.0", "websocket", "websocket"},
		{"HTTP/2 without", 2, "HTTP/2.0", "", ""},
		{"HTTP/3", 3, "websocket", "", "websocket"},
		{"HTTP/3 without", 3, "HTTP/3.0", "", ""},
		{"HTTP/3 believes no field", 3, "HTTP/3.0", "websocket", ""},
		{"HTTP/1.1 has none", 1, "HTTP/1.1", "websocket", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{Method: "CONNECT", Proto: c.proto, ProtoMajor: c.major, Header: http.Header{}, RequestURI: "/", Host: "h"}
			if c.field != "" {
				r.Header[":protocol"] = []string{c.field}
			}
			require.Equal(t, c.want, route.FromHTTP(r).Protocol)
		})
	}
}
