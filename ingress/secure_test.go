package ingress_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

const accessToken = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"

// signing is a policy with the keys a and b, of which a signs.
func signing(t testing.TB) *sign.Policy {
	t.Helper()
	keys, err := sign.NewKeys("a",
		sign.Key{ID: "a", Secret: secret.New("0123456789abcdef")}, sign.Key{ID: "b", Secret: secret.New("fedcba9876543210")})
	require.NoError(t, err)
	return &sign.Policy{Keys: keys, MaxTTL: 24 * time.Hour}
}

func withKeys(p *sign.Policy) change { return func(o *ingress.Options) { o.Signatures = p } }

// signedForms are the forms that carry a signature.
func signedForms(port uint16, expires, signature string) []form {
	token := fmt.Sprintf("%s-%d-%s-%s", id, port, expires, signature)
	return []form{
		{name: "signed wildcard", host: token + "." + base},
		{name: "signed uri", host: host, prefix: fmt.Sprintf("/%s/%d/%s/%s", id, port, expires, signature)},
		{name: "signed header", host: host, header: token},
	}
}

// head is a request of this form as raw bytes.
func (f form) head(method, path string, extra ...string) string {
	lines := append([]string{method + " " + f.prefix + path + " HTTP/1.1", "Host: " + f.host}, extra...)
	if f.header != "" {
		lines = append(lines, "OpenSandbox-Ingress-To: "+f.header)
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// accessRow is one row of the contract's table (§6) with what is asked for.
type accessRow struct {
	name   string
	forms  []form
	extra  []string // header lines
	noKeys bool
	status int // 200 = granted
	code   string
}

func accessRows(policy *sign.Policy) []accessRow {
	now := time.Now()
	mint := func(port uint16, at time.Time) []form {
		r, g := policy.Keys.Mint(id, port, uint64(at.Unix()))
		return signedForms(port, r.Expires, g)
	}
	valid, _ := policy.Keys.Mint(id, 8080, uint64(now.Add(time.Hour).Unix()))
	forged := func(g string) []form { return signedForms(8080, valid.Expires, g) }
	const header = "OpenSandbox-Secure-Access: "
	return []accessRow{
		{name: "nothing", forms: forms("8080"), status: 401, code: ingress.CodeSecureAccess},
		{name: "nothing, no keys", forms: forms("8080"), noKeys: true, status: 401, code: ingress.CodeSecureAccess},
		{name: "token", forms: forms("8080"), extra: []string{header + accessToken}, status: 200},
		{name: "token with spaces", forms: forms("8080"), extra: []string{header + " \t" + accessToken + " "}, status: 200},
		{name: "token, no keys", forms: forms("8080"), extra: []string{header + accessToken}, noKeys: true, status: 200},
		{name: "first token counts", forms: forms("8080"), extra: []string{header + accessToken, header + "x"}, status: 200},
		{name: "second token does not", forms: forms("8080"), extra: []string{header + "x", header + accessToken}, status: 401, code: ingress.CodeSecureAccess},
		{name: "wrong token", forms: forms("8080"), extra: []string{header + strings.ToLower(accessToken)}, status: 401, code: ingress.CodeSecureAccess},
		{name: "empty token", forms: forms("8080"), extra: []string{header}, status: 401, code: ingress.CodeSecureAccess},
		{name: "the API key", forms: forms("8080"), extra: []string{header + apiKey, "OPEN-SANDBOX-API-KEY: " + apiKey}, status: 401, code: ingress.CodeSecureAccess},
		{name: "signature", forms: mint(8080, now.Add(time.Hour)), status: 200},
		{name: "signature, no keys", forms: mint(8080, now.Add(time.Hour)), noKeys: true, status: 503, code: ingress.CodeNoVerifier},
		{name: "wrong token beside a signature", forms: mint(8080, now.Add(time.Hour)), extra: []string{header + "x"}, status: 401, code: ingress.CodeSecureAccess},
		{name: "empty token beside a signature", forms: mint(8080, now.Add(time.Hour)), extra: []string{header}, status: 401, code: ingress.CodeSecureAccess},
		{name: "token beside an expired signature", forms: mint(8080, now.Add(-time.Hour)), extra: []string{header + accessToken}, status: 200},
		{name: "token beside a wrong signature", forms: forged("00000000a"), extra: []string{header + accessToken}, status: 200},
		{name: "expired", forms: mint(8080, now.Add(-time.Hour)), status: 401, code: ingress.CodeExpiredSignature},
		{name: "too far ahead", forms: mint(8080, now.Add(25*time.Hour)), status: 401, code: ingress.CodeInvalidSignature},
		{name: "unknown key", forms: forged("00000000z"), status: 401, code: ingress.CodeInvalidSignature},
		{name: "wrong signature", forms: forged("00000000a"), status: 401, code: ingress.CodeInvalidSignature},
	}
}

// closedEdge is an edge with one sandbox that demands access verification, and how often it
// was connected to.
func closedEdge(t *testing.T, policy *sign.Policy) (*edge, func() int) {
	t.Helper()
	e := newEdge(t, withKeys(policy))
	addr, dialled := rawBackend(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SecureSum: tokenSum(accessToken)}, addr, 8080)
	return e, dialled
}

// Every row on every route form, as a plain request and as a WebSocket handshake.
func TestSecureAccessOnEveryForm(t *testing.T) {
	policy := signing(t)
	for _, row := range accessRows(policy) {
		t.Run(row.name, func(t *testing.T) {
			keys := policy
			if row.noKeys {
				keys = nil
			}
			e, dialled := closedEdge(t, keys)
			connections := 0
			for _, f := range row.forms {
				for kind, lines := range map[string]string{"http": "Connection: close\r\n\r\n", "websocket": wsHandshake + "\r\n"} {
					touches := e.touches.Load()
					res, body := e.raw(t, f.head("GET", "/a", row.extra...)+lines)
					require.Equal(t, row.status, res.StatusCode, "%s %s: %s", f.name, kind, body)
					if row.status == 200 {
						connections++
						require.Greater(t, e.touches.Load(), touches)
					} else {
						require.Equal(t, row.code, code(t, body), "%s %s", f.name, kind)
						require.Equal(t, touches, e.touches.Load(), "a refused request keeps nothing alive")
						require.NotContains(t, body, accessToken)
					}
					require.Equal(t, connections, dialled(), "%s %s: connections to the sandbox", f.name, kind)
				}
			}
		})
	}
}

// The same rows over every version of HTTP (threat row A3).
func TestSecureAccessOverEveryProtocol(t *testing.T) {
	t.Parallel()
	policy := signing(t)
	with, withConnections := closedEdge(t, policy)
	without, withoutConnections := closedEdge(t, nil)
	keyed, keyless := protocolsOf(t, with, with.handler), protocolsOf(t, without, without.handler)
	for _, row := range accessRows(policy) {
		all, dialled := keyed, withConnections
		if row.noKeys {
			all, dialled = keyless, withoutConnections
		}
		for _, p := range all {
			for _, f := range row.forms {
				t.Run(row.name+"/"+p.name+"/"+f.name, func(t *testing.T) {
					header := http.Header{}
					for _, line := range row.extra {
						name, value, _ := strings.Cut(line, ":")
						header.Add(name, strings.TrimSpace(value))
					}
					before := dialled()
					r := f.request(t, p.edge, "GET", "/a", nil)
					for name, values := range header {
						r.Header[name] = values
					}
					res, err := p.round.RoundTrip(r)
					require.NoError(t, err)
					_ = res.Body.Close()
					require.Equal(t, row.status, res.StatusCode)
					_, res, err = p.dial(withTimeout(t), f, header)
					require.Error(t, err, "the sandbox speaks no WebSocket")
					if row.status == 200 {
						require.NotEqual(t, http.StatusUnauthorized, res.StatusCode)
						require.Equal(t, before+2, dialled())
						return
					}
					require.Equal(t, row.status, res.StatusCode)
					require.Equal(t, before, dialled(), "connections to the sandbox")
				})
			}
		}
	}
}

// A sandbox that demands nothing takes every request, and its application sees what
// looks like a signature in a path.
func TestSignaturesMeanNothingToOpenSandboxes(t *testing.T) {
	e := newEdge(t, withKeys(signing(t)))
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	for _, f := range signedForms(8080, "0", "00000000z") {
		r := f.request(t, e, "GET", "/v1", nil)
		r.Header.Set("OpenSandbox-Secure-Access", "whatever")
		res, body := e.do(t, r)
		require.Equal(t, 200, res.StatusCode, "%s: %s", f.name, body)
		want := "/v1"
		if f.name == "signed uri" {
			want = "/0/00000000z/v1"
		}
		require.Equal(t, want, got.last(t).URL.Path, f.name)
		require.NotContains(t, got.last(t).Header, "Opensandbox-Secure-Access")
	}
}

func TestAccessTokensStayAtTheEdge(t *testing.T) {
	policy := signing(t)
	e := newEdge(t, withKeys(policy))
	var got seen
	s := e.sandbox(t, id, got.handler)
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SecureSum: tokenSum(accessToken)}, s.Listener.Addr(), 8080)
	for _, f := range forms("8080") {
		r := f.request(t, e, "GET", "/", nil)
		r.Header.Set("OpenSandbox-Secure-Access", accessToken)
		res, _ := e.do(t, r)
		require.Equal(t, 200, res.StatusCode, f.name)
		require.NotContains(t, got.last(t).Header, "Opensandbox-Secure-Access")
	}
	r, g := policy.Keys.Mint(id, 8080, uint64(time.Now().Add(time.Hour).Unix()))
	for _, f := range signedForms(8080, r.Expires, g) {
		res, _ := e.do(t, f.request(t, e, "GET", "/v1/status", nil))
		require.Equal(t, 200, res.StatusCode, f.name)
		require.Equal(t, "/v1/status", got.last(t).URL.Path)
		require.NotContains(t, fmt.Sprint(got.last(t).Header["Opensandbox-Ingress-To"]), g)
	}
}

// The daemon of a secured sandbox asks for its own token as well.
func TestDaemonTokenBesideSecureAccess(t *testing.T) {
	policy := signing(t)
	e := newEdge(t, withKeys(policy))
	var got seen
	s := e.sandbox(t, id, got.handler)
	e.publish(t, lifecycle.Entry{
		ID: id, State: lifecycle.Running, SecureSum: tokenSum(accessToken), ExecdTokenSum: tokenSum("T"),
	}, s.Listener.Addr(), 44772)
	r, g := policy.Keys.Mint(id, 44772, uint64(time.Now().Add(time.Hour).Unix()))
	for _, f := range append(forms("44772"), signedForms(44772, r.Expires, g)...) {
		send := func(path string, tokens bool, execd string) (int, string) {
			r := f.request(t, e, "GET", path, nil)
			if tokens && !strings.HasPrefix(f.name, "signed") {
				r.Header.Set("OpenSandbox-Secure-Access", accessToken)
			}
			if execd != "" {
				r.Header.Set("X-EXECD-ACCESS-TOKEN", execd)
			}
			res, body := e.do(t, r)
			if res.StatusCode == 200 {
				return 200, ""
			}
			return res.StatusCode, code(t, body)
		}
		status, why := send("/files", true, "")
		require.Equal(t, 401, status, f.name)
		require.Equal(t, ingress.CodeMissingExecdToken, why)
		status, why = send("/files", true, "x")
		require.Equal(t, 401, status, f.name)
		require.Equal(t, ingress.CodeInvalidExecdToken, why)
		status, _ = send("/files", true, "T")
		require.Equal(t, 200, status, f.name)
		status, _ = send("/ping", true, "")
		require.Equal(t, 200, status, f.name)
		if !strings.HasPrefix(f.name, "signed") {
			status, why = send("/ping", false, "T")
			require.Equal(t, 401, status, "not even a ping: %s", f.name)
			require.Equal(t, ingress.CodeSecureAccess, why)
		}
	}
}

// require_access = "secure": sandboxes that were created without an access token take
// signed requests, and those to a daemon that has a token.
func TestRequireSecure(t *testing.T) {
	policy := signing(t)
	e := newEdge(t, withKeys(policy), func(o *ingress.Options) { o.RequireSecure = true })
	var got seen
	s := e.sandbox(t, id, got.handler)
	addr := s.Listener.Addr()
	status := func(f form, header ...string) int {
		r := f.request(t, e, "GET", "/files", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, _ := e.do(t, r)
		return res.StatusCode
	}
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, ExecdTokenSum: tokenSum("T")}, addr, 8080, 44772)
	r, g := policy.Keys.Mint(id, 8080, uint64(time.Now().Add(time.Hour).Unix()))
	for _, f := range forms("8080") {
		require.Equal(t, 401, status(f), f.name)
		require.Equal(t, 401, status(f, "OpenSandbox-Secure-Access", ""), f.name)
		require.Equal(t, 401, status(f, "OPEN-SANDBOX-API-KEY", apiKey), f.name)
	}
	for _, f := range signedForms(8080, r.Expires, g) {
		require.Equal(t, 200, status(f), f.name)
	}
	for _, f := range forms("44772") {
		require.Equal(t, 401, status(f), f.name)
		require.Equal(t, 200, status(f, "X-EXECD-ACCESS-TOKEN", "T"), f.name)
	}
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080, 44772)
	require.Equal(t, 401, status(direct("44772")), "a daemon without a token protects nothing")
}

func TestRefusalsAreCounted(t *testing.T) {
	metrics, err := ingress.NewMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	e := newEdge(t, withKeys(signing(t)), func(o *ingress.Options) { o.Metrics = metrics })
	var got seen
	s := e.sandbox(t, id, got.handler)
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SecureSum: tokenSum(accessToken)}, s.Listener.Addr(), 8080)
	reg := prometheus.NewRegistry()
	require.NoError(t, metrics.Register(reg))
	res, _ := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 401, res.StatusCode)
	families, err := reg.Gather()
	require.NoError(t, err)
	counted := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "opensandbox_access_refused_total" {
			for _, m := range f.GetMetric() {
				counted[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	require.Len(t, counted, 8, "one per reason, from the start")
	require.InDelta(t, 1, counted["signature_required"], 0)
	require.InDelta(t, 0, counted["withheld"], 0)
}

// 200 clients guess signatures: once the budget of the sandbox is spent nobody is told
// right from wrong, a client that was let in before still is, and a new one is as soon as
// it is told to come.
func TestGuessedSignatures(t *testing.T) {
	t.Parallel()
	policy := signing(t)
	proxies, err := forwarded.NewProxies([]string{"127.0.0.0/8"})
	require.NoError(t, err)
	e := newEdgeBehind(t, proxies, withKeys(policy))
	var got seen
	s := e.sandbox(t, id, got.handler)
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SecureSum: tokenSum(accessToken)}, s.Listener.Addr(), 8080)
	send := func(from, expires, signature string) (*http.Response, string) {
		r := signedForms(8080, expires, signature)[1].request(t, e, "GET", "/", nil)
		r.Header.Set("X-Forwarded-For", from)
		return e.do(t, r)
	}
	at := func(d time.Duration) (expires, signature string) {
		r, g := policy.Keys.Mint(id, 8080, uint64(time.Now().Add(d).Unix()))
		return r.Expires, g
	}
	expires, signature := at(time.Hour)
	res, _ := send("192.0.2.1", expires, signature)
	require.Equal(t, 200, res.StatusCode)
	for n := range 1000 {
		res, _ := send(fmt.Sprintf("198.51.100.%d", n%200), expires, fmt.Sprintf("%08xa", n))
		require.Equal(t, 401, res.StatusCode, n)
	}
	limited, began := 0, time.Now()
	for n := range 20 {
		res, body := send(fmt.Sprintf("198.51.100.%d", n), expires, fmt.Sprintf("%08xa", n+5000))
		if res.StatusCode == 429 {
			limited++
			require.Equal(t, ingress.CodeSignaturesLimited, code(t, body))
			require.NotEmpty(t, res.Header.Get("Retry-After"))
		}
	}
	require.GreaterOrEqual(t, limited, 15-int(time.Since(began).Seconds()), "one is told every second")
	res, _ = send("192.0.2.1", expires, signature)
	require.Equal(t, 200, res.StatusCode, "the old client")

	expires, signature = at(2 * time.Hour)
	require.Eventually(t, func() bool {
		res, _ := send("203.0.113.9", expires, signature)
		return res.StatusCode == 200
	}, 2*eventually, 10*tick, "a new client")
}
