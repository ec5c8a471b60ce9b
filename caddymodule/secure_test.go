package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const signingKeyA, signingKeyB = "AQIDBAUGBwgJCgsMDQ4PEA==", "EA8ODQwLCgkIBwYFBAMCAQ"

// secured is a gateway's part of the file with one signing key.
func secured(id, key string) string {
	return fmt.Sprintf(`[ingress]
mode = "gateway"
[ingress.gateway]
address = "*.sandbox.localhost"
also = [{ mode = "uri", address = "127.0.0.1" }, { mode = "header", address = "127.0.0.1" }]
[ingress.gateway.route]
mode = "wildcard"
[ingress.secure_access]
active_key = %q
[[ingress.secure_access.keys]]
key_id = %q
key = %q
`, id, id, key)
}

// placeSecured is place with a sandbox that demands access verification.
func (r *rig) placeSecured(h http.Handler) (port int) {
	port = r.place(h)
	require.NoError(r.t, r.fake.Remove(r.t.Context(), sandboxID))
	require.NoError(r.t, r.fake.Place(lifecycle.Spec{
		ID: sandboxID, Image: "demo", Entrypoint: []string{"sleep"}, Timeout: time.Hour, SecureAccess: true,
	}))
	return port
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// Connections that were open before a reload are decided by the signing keys after it
// (threat row A8), whoever serves them.
func TestRemovedSigningKeysCloseKeptConnections(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("keep_clients %t", keep), func(t *testing.T) {
			r := newRig(t)
			port := r.placeSecured(http.HandlerFunc(hello))
			file := func(id, key string) string {
				return r.toml(testKey, strings.Replace(secured(id, key), "[ingress]\n", fmt.Sprintf("[ingress]\nkeep_clients = %t\n", keep), 1))
			}
			r.load(file("a", signingKeyA))
			policy := pooledState().edge().settings.signatures
			route, g := policy.Keys.Mint(sandboxID, uint16(port), uint64(time.Now().Add(time.Hour).Unix()))
			require.Equal(t, "a", g[8:])
			token := fmt.Sprintf("%s-%d-%s-%s", sandboxID, port, route.Expires, g)

			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.addr)
			require.NoError(t, err)
			defer conn.Close()
			answers := bufio.NewReader(conn)
			ask := func() (status int, body string, err error) {
				_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOpenSandbox-Ingress-To: "+token+"\r\n\r\n")
				if err != nil {
					return 0, "", err
				}
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					return 0, "", err
				}
				defer res.Body.Close()
				read, err := io.ReadAll(res.Body)
				return res.StatusCode, string(read), err
			}
			for range 2 {
				status, body, err := ask()
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, status, body)
			}
			r.load(file("b", signingKeyB))
			status, body, err := ask()
			if keep || err == nil { // net/http may close a connection of the old configuration instead
				require.NoError(t, err)
				require.Equal(t, http.StatusUnauthorized, status, body)
				require.Contains(t, body, "unknown signed_key_id")
			}
			require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/", "OpenSandbox-Ingress-To: "+token).status)
			r.load(file("a", signingKeyA))
			require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/", "OpenSandbox-Ingress-To: "+token).status)
		})
	}
}

// The keys of the file, in all their spellings, are in no log.
func TestSigningKeysAreMasked(t *testing.T) {
	r := newRig(t)
	r.load(r.toml(testKey, secured("a", signingKeyA)))
	for _, key := range []string{signingKeyA, strings.TrimRight(signingKeyA, "="), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"} {
		require.NotContains(t, redactor.Text("word "+key+" word"), key)
	}
	require.NoError(t, caddy.Stop())
	require.NotContains(t, logs(t, r.dir), strings.TrimRight(signingKeyA, "="))
}

// What the configuration says about access reaches those who decide.
func TestAccessSettings(t *testing.T) {
	r := newRig(t)
	port := r.place(http.HandlerFunc(hello))
	target := fmt.Sprintf("/sandboxes/%s/proxy/%d/", sandboxID, port)
	r.load(r.toml(testKey, secured("a", signingKeyA)))
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, target).status)

	path := r.toml(testKey, strings.Replace(secured("a", signingKeyA), "[ingress]\n", "[ingress]\nhide_existence = true\n", 1))
	edit(t, path, "[server]\n", "[server]\nrequire_access = \"secure\"\nsecure_default = true\n")
	r.load(path)
	require.Equal(t, http.StatusNotFound, r.do(http.MethodGet, target).status, "refused and hidden")
	until := time.Now().Add(time.Hour)
	got := r.do(http.MethodGet, fmt.Sprintf("/v1/sandboxes/%s/endpoints/%d?expires=%d", sandboxID, port, until.Unix()), keyHeader(testKey))
	require.Equal(t, http.StatusOK, got.status, got.body)
	_, signed, _ := strings.Cut(got.body, `"endpoint":"`)
	signed, _, _ = strings.Cut(signed, `"`)
	require.True(t, strings.HasSuffix(signed, ".sandbox.localhost"), signed)
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/", "Host: "+signed).status, "a signed route is access")

	got = r.do(http.MethodGet, fmt.Sprintf("/v1/sandboxes/%s/endpoints/%d?expires=%d", sandboxID, port, until.Add(365*24*time.Hour).Unix()), keyHeader(testKey))
	require.Equal(t, http.StatusBadRequest, got.status, got.body)
}

func TestSignaturePolicy(t *testing.T) {
	c := new(config.Config)
	p, err := signaturePolicy(c)
	require.NoError(t, err)
	require.Nil(t, p, "no keys")
	r := newRig(t)
	r.load(r.toml(testKey, secured("b", signingKeyB)))
	p = pooledState().edge().settings.signatures
	require.Equal(t, 30*24*time.Hour, p.MaxTTL)
	route, g := p.Keys.Mint("s", 1, 1)
	require.Equal(t, sign.Valid, p.Keys.Verify(route, g, time.Unix(1, 0)), "an unpadded key")
}
