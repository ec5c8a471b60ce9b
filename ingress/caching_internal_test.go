package ingress

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
)

func TestCacheControl(t *testing.T) {
	for _, c := range []struct {
		sent []string
		want string
	}{
		{nil, "private"},
		{[]string{""}, "private"},
		{[]string{"public, max-age=60, immutable"}, "private, max-age=60, immutable"},
		{[]string{"max-age=60", "S-MaxAge=600,Public"}, "private, max-age=60"},
		{[]string{"private"}, "private"},
		{[]string{`private="set-cookie", max-age=5`}, "private, max-age=5"},
		{[]string{"no-store"}, "private, no-store"},
		{[]string{`no-cache="a, public", public`}, `private, no-cache="a, public"`},
		{[]string{`x="\\", public`}, `private, x="\\"`},
		{[]string{`x="open, public`}, `private, x="open, public`},
		{[]string{",,max-age=0,,"}, "private, max-age=0"},
	} {
		h := http.Header{"X-Accel-Expires": {"600"}, "Surrogate-Control": {"max-age=1"}, "Cdn-Cache-Control": {"public"}, "Fancy-Cdn-Cache-Control": {"public"}, "Expires": {"0"}}
		if c.sent != nil {
			h["Cache-Control"] = c.sent
		}
		makePrivate(h)
		require.Equal(t, http.Header{"Cache-Control": {c.want}, "Expires": {"0"}}, h, "%q", c.sent)
	}
}

func TestReferrerPolicyOfSignedRoutes(t *testing.T) {
	for _, c := range []struct {
		sent []string
		want []string
	}{
		{nil, []string{"same-origin"}},
		{[]string{"no-referrer"}, []string{"no-referrer"}},
		{[]string{"Same-Origin"}, []string{"Same-Origin"}},
		{[]string{"no-referrer, same-origin"}, []string{"no-referrer, same-origin"}},
		{[]string{"no-referrer, origin"}, []string{"same-origin"}},
		{[]string{"no-referrer", "unsafe-url"}, []string{"same-origin"}},
		{[]string{"strict-origin"}, []string{"same-origin"}},
		{[]string{""}, []string{"same-origin"}},
	} {
		x := &exchange{Handler: &Handler{}, route: route.Verdict{Form: route.FormWildcard, Signature: "8b6de077a"}}
		h := http.Header{}
		if c.sent != nil {
			h["Referrer-Policy"] = c.sent
		}
		x.guardCaches(h)
		require.Equal(t, c.want, h["Referrer-Policy"], "%q", c.sent)
		require.NotContains(t, h, "Cache-Control", "nothing was proven")

		x.route.Signature = ""
		h = http.Header{}
		x.guardCaches(h)
		require.Empty(t, h, "an ordinary answer is the application's")
	}
}
