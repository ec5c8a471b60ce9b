package apierror_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
)

// What the browsers of the day send for a page.
const navigation = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

func ask(method string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://h/<script>alert(1)</script>?q=<b>", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestWhoGetsAPage(t *testing.T) {
	for _, c := range []struct {
		name   string
		r      *http.Request
		isPage bool
	}{
		{"browser", ask("GET", "Accept", navigation), true},
		{"browser that tells", ask("GET", "Accept", navigation, "Sec-Fetch-Mode", "navigate"), true},
		{"form", ask("POST", "Accept", navigation, "Sec-Fetch-Mode", "navigate"), true},
		{"form of an old browser", ask("POST", "Accept", navigation), false},
		{"HEAD", ask("HEAD", "Accept", navigation), true},
		{"script in a page", ask("GET", "Accept", navigation, "Sec-Fetch-Mode", "cors"), false},
		{"fetch", ask("GET", "Accept", "*/*", "Sec-Fetch-Mode", "cors"), false},
		{"curl", ask("GET", "Accept", "*/*"), false},
		{"no Accept", ask("GET"), false},
		{"SDK", ask("GET", "Accept", "application/json"), false},
		{"program that takes anything", ask("GET", "Accept", "application/json, text/html;q=0.5, */*"), false},
		{"no HTML please", ask("GET", "Accept", "text/html;q=0"), false},
		{"weight that is none", ask("GET", "Accept", "text/html;q=x"), false},
		{"event stream", ask("GET", "Accept", "text/event-stream"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			apierror.Answer(w, c.r, apierror.New(404, "X::Y", "Nothing."))
			require.Equal(t, 404, w.Code)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			if !c.isPage {
				require.Equal(t, "application/json", w.Header().Get("Content-Type"))
				require.True(t, json.Valid(w.Body.Bytes()))
				return
			}
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Contains(t, w.Body.String(), "X::Y")
		})
	}
}

// Whatever an error says, a browser sees text, and nothing of the request (threat row W7).
func TestThePageIsInert(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`)
	for _, hostile := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</title><svg onload=alert(1)>", "{{.}}", "javascript:alert(1)",
		"</style><style>*{}", "&lt;b&gt;", "\x00<a>", "' autofocus onfocus='x", "<!--", "]]>", "\u2028<b>", "\xff\xfe<i>", "<base href=//evil>",
	} {
		w := httptest.NewRecorder()
		apierror.Answer(w, ask("GET", "Accept", navigation), apierror.New(404, hostile, "%s", hostile))
		body := w.Body.String()
		for _, element := range regexp.MustCompile(`<[^>]*>`).FindAllString(body, -1) {
			require.Regexp(t, `^</?(!DOCTYPE html|html|html lang="en"|head|meta charset="utf-8"|meta name="viewport" content="width=device-width"|title|style|body|h1|p|p class="code")>$`, element, hostile)
		}
		require.NotContains(t, body, "q=")

		policy := w.Header().Get("Content-Security-Policy")
		sum := sha256.Sum256([]byte(style.FindStringSubmatch(body)[1]))
		require.Contains(t, policy, base64.StdEncoding.EncodeToString(sum[:]), "the page's own style is admitted")
		require.True(t, strings.HasPrefix(policy, "default-src 'none'; base-uri 'none'; form-action 'none'; "))
		require.NotContains(t, policy, "unsafe")
		require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
	}
}

func TestUnavailableSaysWhenToComeBack(t *testing.T) {
	for _, c := range []struct {
		err   *apierror.Error
		after string
	}{
		{apierror.New(503, "X", "x"), "1"}, {apierror.New(503, "X", "x").Retry(7), "7"}, {apierror.New(409, "X", "x").Retry(5), "5"}, {apierror.New(502, "X", "x"), ""},
	} {
		for _, accept := range []string{"*/*", navigation} {
			w := httptest.NewRecorder()
			apierror.Answer(w, ask("GET", "Accept", accept), c.err)
			require.Equal(t, c.after, w.Header().Get("Retry-After"))
			refreshes := accept == navigation && c.err.Status == 503
			require.Equal(t, refreshes, strings.Contains(w.Body.String(), `<meta http-equiv="refresh" content="`+c.after+`">`))
		}
	}
	w := httptest.NewRecorder()
	apierror.Answer(w, ask("POST", "Accept", navigation, "Sec-Fetch-Mode", "navigate"), apierror.New(503, "X", "x"))
	require.NotContains(t, w.Body.String(), "refresh", "what a form sent would be lost")
}
