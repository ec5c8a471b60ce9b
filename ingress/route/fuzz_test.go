package route_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
)

var (
	idGrammar  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	exactShape = regexp.MustCompile(`^(/v1)?/sandboxes/[^/]+/proxy/[1-9][0-9]{0,4}(/|$)`)
	apiRoot    = regexp.MustCompile(`^/(v1|sandboxes|snapshots|pools|metrics)(/|$)`)
)

// FuzzClassify holds the properties that the rest of the server leans on: no panic; API
// paths on API hosts reach nothing but the API, the exact proxy shape and an explicit
// header route excepted; sandbox hosts never reach the API; what is dialled is in grammar.
func FuzzClassify(f *testing.F) {
	for _, seed := range [][6]string{
		{"GET", "api.example.com", "", "/v1/sandboxes/x/proxy/80/a", ""},
		{"CONNECT", "x-80.sb.example.com", "", "/a", "", "websocket"},
		{"CONNECT", "api.example.com", "", "/health", "", "WebSocket"},
		{"GET", "api.example.com", "", "/x/80", "", "connect-udp"},
		{"DELETE", "api.example.com", "", "/v1/sandboxes/ID%2Fproxy%2F80", ""},
		{"GET", "x-80.sb.example.com.:443", "", "/v1/sandboxes", "y-81"},
		{"GET", "gw.example.com", "u@gw.example.com", "/x/80/x2qxvk/8b6de077a/a", ""},
		{"GET", "[::1]:80", "", "/%2e%2e/docs", "https://a-b-8080-x2qxvk-8b6de077a.t"},
		{"GET", "[::1]:80", "", "/", "https://http://S-9000.x"},
		{"CONNECT", "x-1", "", "*", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	withWildcard, without := everything(f), anyHost(f)
	f.Fuzz(func(t *testing.T, method, host, target, path, header, protocol string) {
		r := route.Request{Method: method, Protocol: protocol, Authority: host, TargetAuthority: target, Path: path}
		if header != "" {
			r.IngressTo = []string{header}
		}
		checkVerdict(t, r, withWildcard.Classify(r), true)
		checkVerdict(t, r, without.Classify(r), false)
	})
}

func checkVerdict(t *testing.T, r route.Request, v route.Verdict, wildcard bool) {
	t.Helper()
	if v.Err != nil {
		if v.Class != route.None || v.SandboxID != "" || v.Port != 0 {
			t.Fatalf("an error with a route: %+v", v)
		}
		return
	}
	a, ok := route.ParseAuthority(r.Authority)
	if !ok {
		t.Fatalf("accepted authority %q", r.Authority)
	}
	if strings.HasSuffix(a.Host, ".sb.example.com") && wildcard && v.Form != route.FormWildcard {
		t.Fatalf("a sandbox host reaches something else: %+v", v)
	}
	sandbox := v.Class == route.Proxy || v.Class == route.Gateway
	if r.Method == "" || strings.ContainsAny(r.Method, " \t\r\n/:") {
		t.Fatalf("method %q", r.Method)
	}
	websocket := strings.EqualFold(r.Protocol, "websocket")
	if (r.Method == "CONNECT" && !(sandbox && websocket)) || r.Method == "TRACE" || (r.Protocol != "" && r.Method != "CONNECT") {
		t.Fatalf("%s with protocol %q got through: %+v", r.Method, r.Protocol, v)
	}
	if !sandbox {
		if v.SandboxID != "" || v.Port != 0 || v.Form != route.FormNone || v.Path != "" {
			t.Fatalf("a route without a sandbox class: %+v", v)
		}
		return
	}
	if !idGrammar.MatchString(v.SandboxID) || !wire.ValidID(v.SandboxID) || v.Port == 0 {
		t.Fatalf("outside the grammar: %+v", v)
	}
	if !strings.HasPrefix(v.Path, "/") || strings.ContainsAny(v.Path, " \r\n\x00") {
		t.Fatalf("path %q", v.Path)
	}
	if !strings.HasPrefix(r.Path, v.Prefix) || (v.Path != "/" && v.Prefix+v.Path != r.Path) {
		t.Fatalf("path is not cut from the request: %+v of %q", v, r.Path)
	}
	if (v.Signature == "") != (v.ExpiresB36 == "") {
		t.Fatalf("half signed: %+v", v)
	}
	switch {
	case v.Class == route.Proxy && (!exactShape.MatchString(r.Path) || v.Form != route.FormDirect):
		t.Fatalf("proxy without the shape: %q %+v", r.Path, v)
	case v.Form == route.FormURI && apiRoot.MatchString(r.Path):
		t.Fatalf("uri route on an API root: %q", r.Path)
	}
}

func FuzzParseAuthority(f *testing.F) {
	for _, seed := range []string{"a.b:80", "A.B.", "[::1]:1", "[fe80::1%25x]", "u@h", "h:0", "::1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := route.ParseAuthority(s)
		if !ok {
			return
		}
		text := a.Host
		if strings.Contains(text, ":") {
			text = "[" + text + "]"
		}
		if a.Port != "" {
			text += ":" + a.Port
		}
		if again, ok := route.ParseAuthority(text); !ok || again != a {
			t.Fatalf("%q → %+v → %q → %+v", s, a, text, again)
		}
		if strings.ToLower(a.Host) != a.Host || strings.HasSuffix(a.Host, ".") || strings.ContainsAny(a.Host, "@/\\ ") {
			t.Fatalf("not normal: %+v", a)
		}
	})
}
