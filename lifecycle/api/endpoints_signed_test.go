package api_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
	"github.com/opensandbox-edge/edge/secret"
)

const (
	accessToken = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	secured     = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
)

func signing(t *testing.T) *sign.Policy {
	t.Helper()
	keys, err := sign.NewKeys("a", sign.Key{ID: "a", Secret: secret.New("0123456789abcdef")})
	require.NoError(t, err)
	return &sign.Policy{Keys: keys, MaxTTL: 24 * time.Hour}
}

// securedEdge has a sandbox, id, that demands nothing, and one that demands access verification.
func securedEdge(t *testing.T, change ...func(*api.Options)) *edge {
	t.Helper()
	e := newEdge(t, change...)
	_, err := e.service.directory.Publish(lifecycle.Entry{
		ID: secured, State: lifecycle.Running, Address: netip.MustParseAddr("172.17.0.9"), SecureSum: new([32]byte),
		Published: map[uint16]netip.AddrPort{44772: netip.MustParseAddrPort("127.0.0.1:40001"), 8080: netip.MustParseAddrPort("127.0.0.1:40002")},
	})
	require.NoError(t, err)
	return e
}

// The contract's table (§4.2): every form × secured × expires × use_server_proxy, for a port
// of the application and for the daemon's.
func TestEndpointTable(t *testing.T) {
	policy := signing(t)
	until := time.Now().Add(time.Hour).Unix()
	const server = "edge.example.com:8080/v1/sandboxes/"
	for _, mode := range []string{"direct", "published", "wildcard", "uri", "header"} {
		for _, sandbox := range []string{id, secured} {
			for _, port := range []uint16{8080, 44772} {
				for _, signed := range []bool{false, true} {
					for _, proxy := range []bool{false, true} {
						name := fmt.Sprintf("%s, secured %t, port %d, expires %t, use_server_proxy %t", mode, sandbox == secured, port, signed, proxy)
						t.Run(name, func(t *testing.T) {
							e := securedEdge(t, func(o *api.Options) {
								o.Signatures = policy
								switch mode {
								case "direct":
								case "published":
									o.Addresses.PublishedHost = "10.1.1.1"
								case "wildcard":
									o.Addresses.Gateway = &address.Gateway{Mode: address.Wildcard, Address: "*.sb.example.com"}
								default:
									o.Addresses.Gateway = &address.Gateway{Mode: address.Mode(mode), Address: "gw.example.com"}
								}
							})
							query := []string{}
							if signed {
								query = append(query, fmt.Sprintf("expires=%d", until))
							}
							if proxy {
								query = append(query, "use_server_proxy=true")
							}
							w := e.do("GET", fmt.Sprintf("/v1/sandboxes/%s/endpoints/%d?%s", sandbox, port, strings.Join(query, "&")), "")
							gateway := mode != "direct" && mode != "published"
							switch {
							case signed && proxy:
								require.Contains(t, wantError(t, w, 400, "SANDBOX::INVALID_PARAMETER").Message, "use_server_proxy cannot be combined with expires")
								return
							case signed && !gateway:
								wantError(t, w, 400, "SANDBOX::API_NOT_SUPPORTED")
								return
							case signed && mode == "uri" && sandbox == id:
								wantError(t, w, 400, "SANDBOX::INVALID_PARAMETER")
								return
							}
							require.Equal(t, 200, w.Code, w.Body)
							route, g := policy.Keys.Mint(sandbox, port, uint64(until))
							routed := fmt.Sprintf("%s-%d", sandbox, port)
							path := fmt.Sprintf("/%s/%d", sandbox, port)
							if signed {
								routed += "-" + route.Expires + "-" + g
								path += "/" + route.Expires + "/" + g
							}
							want := map[string]string{}
							endpoint := ""
							switch {
							case proxy, mode == "direct", mode == "published": // the test's sandbox id publishes nothing, a secured one never
								endpoint = fmt.Sprintf("%s%s/proxy/%d", server, sandbox, port)
							case mode == "wildcard":
								endpoint = routed + ".sb.example.com"
							case mode == "uri":
								endpoint = "gw.example.com" + path
							case mode == "header":
								endpoint = "gw.example.com"
							}
							if mode == "header" {
								want["OpenSandbox-Ingress-To"] = routed
							}
							if sandbox == secured && !signed {
								want["OpenSandbox-Secure-Access"] = accessToken
							}
							if port == 44772 && sandbox == id {
								want["X-EXECD-ACCESS-TOKEN"] = token
							}
							var got struct {
								Endpoint string
								Headers  map[string]string
							}
							require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
							require.Equal(t, endpoint, got.Endpoint)
							if len(want) == 0 {
								require.NotContains(t, w.Body.String(), "headers")
							} else {
								require.Equal(t, want, got.Headers)
							}
							require.NotContains(t, e.log.String(), accessToken)
						})
					}
				}
			}
		}
	}
}

// Signed routes to the daemon carry its token as well: a signature does not stand in for it.
func TestSignedRouteToTheDaemon(t *testing.T) {
	e := newEdge(t, func(o *api.Options) {
		o.Signatures = signing(t)
		o.Addresses.Gateway = &address.Gateway{Mode: address.Wildcard, Address: "*.sb.example.com"}
	})
	w := e.do("GET", fmt.Sprintf("/v1/sandboxes/%s/endpoints/44772?expires=%d", id, time.Now().Add(time.Hour).Unix()), "")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), `"headers":{"X-EXECD-ACCESS-TOKEN":"`+token+`"}`)
}

func TestOrderOfEndpointChecks(t *testing.T) {
	gateway := func(mode address.Mode, keys bool) func(*api.Options) {
		return func(o *api.Options) {
			o.Addresses.Gateway = &address.Gateway{Mode: mode, Address: "gw.example.com"}
			if mode == address.Wildcard {
				o.Addresses.Gateway.Address = "*.sb.example.com"
			}
			if keys {
				o.Signatures = signing(t)
			}
		}
	}
	now := time.Now().Unix()
	long := strings.Repeat("i", 58)
	for _, tc := range []struct {
		name, path string
		change     func(*api.Options)
		status     int
		code, text string
	}{
		{"shape before everything", "unknown/endpoints/x?expires=&use_server_proxy=2", gateway(address.Header, false), 422, "SANDBOX::INVALID_PARAMETER", ""},
		{"combination before the port", "unknown/endpoints/0?expires=1&use_server_proxy=1", gateway(address.Header, false), 400, "SANDBOX::INVALID_PARAMETER", "cannot be combined"},
		{"no gateway before the port", "unknown/endpoints/0?expires=1", func(*api.Options) {}, 400, "SANDBOX::API_NOT_SUPPORTED", "gateway"},
		{"port before the expiry", "unknown/endpoints/0?expires=1", gateway(address.Header, false), 400, "DOCKER::INVALID_PORT", ""},
		{"expiry before the sandbox", "unknown/endpoints/80?expires=1", gateway(address.Header, false), 400, "SANDBOX::INVALID_PARAMETER", "must be greater than current time"},
		{"negative", "unknown/endpoints/80?expires=-1", gateway(address.Header, true), 400, "SANDBOX::INVALID_PARAMETER", "must be greater than current time"},
		{"now", fmt.Sprintf("unknown/endpoints/80?expires=%d", now), gateway(address.Header, true), 400, "SANDBOX::INVALID_PARAMETER", "must be greater than current time"},
		{"sandbox before the keys", fmt.Sprintf("unknown/endpoints/80?expires=%d", now+60), gateway(address.Header, false), 404, "DOCKER::SANDBOX_NOT_FOUND", ""},
		{"no keys", fmt.Sprintf("%s/endpoints/80?expires=%d", secured, now+60), gateway(address.Header, false), 400, "SANDBOX::INVALID_PARAMETER", "secure_access"},
		{"too far ahead", fmt.Sprintf("%s/endpoints/80?expires=%d", secured, now+86400+60), gateway(address.Header, true), 400, "SANDBOX::INVALID_PARAMETER", "86400"},
		{"beyond 64 bits", secured + "/endpoints/80?expires=18446744073709551616", gateway(address.Header, true), 400, "SANDBOX::INVALID_PARAMETER", "86400"},
		{"needless signature", fmt.Sprintf("%s/endpoints/80?expires=%d", id, now+60), gateway(address.URI, true), 400, "SANDBOX::INVALID_PARAMETER", "no signature"},
		{"long label", long + "/endpoints/8080?expires=" + fmt.Sprint(now+60), gateway(address.Wildcard, true), 400, "SANDBOX::INVALID_PARAMETER", "leave expires out"},
	} {
		e := securedEdge(t, tc.change)
		_, err := e.service.directory.Publish(lifecycle.Entry{ID: long, State: lifecycle.Running, Address: netip.MustParseAddr("172.17.0.8")})
		require.NoError(t, err)
		require.Contains(t, wantError(t, e.do("GET", "/v1/sandboxes/"+tc.path, ""), tc.status, tc.code).Message, tc.text, tc.name)
	}
	e := securedEdge(t, gateway(address.Wildcard, true))
	w := e.do("GET", fmt.Sprintf("/v1/sandboxes/%s/endpoints/44772?expires=%d", secured, now+60), "")
	require.Equal(t, 200, w.Code, "a UUID, the longest port and an expiry of this century fit into a label")
}

func TestSecureDefault(t *testing.T) {
	for _, tc := range []struct {
		standard bool
		body     string
		want     bool
	}{
		{false, createBody, false},
		{false, with(`"secureAccess":true`), true},
		{true, createBody, true},
		{true, with(`"secureAccess":null`), true},
		{true, with(`"secureAccess":false`), false},
		{true, with(`"secureAccess":true`), true},
	} {
		e := newEdge(t, func(o *api.Options) { o.SecureDefault = tc.standard })
		w := e.do("POST", "/v1/sandboxes", tc.body)
		require.Equal(t, 202, w.Code, w.Body)
		require.Equal(t, tc.want, e.service.created.SecureAccess, "%t %s", tc.standard, tc.body)
		require.NotContains(t, w.Body.String(), "ecure")
	}
}
