package ingress_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/isolation"
)

// What a page found out about its neighbour.
type findings struct{ Cookie, Storage, Worker string }

// victim leaves a cookie and an entry in the storage behind, and leads on to the spy.
const victim = `<!DOCTYPE html><script>
try { localStorage.setItem("secret", "of B") } catch (e) {}
location.replace(new URLSearchParams(location.search).get("next"))
</script>`

// spy looks for both, and tries to become the worker of the whole origin.
const spy = `<!DOCTYPE html><script>
const tried = f => { try { return String(f()) } catch (e) { return e.name } };
(async () => {
  const found = { Cookie: tried(() => document.cookie), Storage: tried(() => localStorage.getItem("secret")) };
  try {
    found.Worker = (await navigator.serviceWorker.register("sw.js", { scope: "/" })).scope;
  } catch (e) { found.Worker = e.name }
  new Image().src = "report?" + encodeURIComponent(JSON.stringify(found));
})();
</script>`

// A real browser shows a page of sandbox A after one of sandbox B, on routes that share
// an origin (threat row W3). With isolation off the spy finds everything, so the test
// can fail.
func TestNeighboursInABrowser(t *testing.T) {
	t.Parallel()
	if core != "" {
		t.Skip("what browsers do does not depend on the core; the first run has shown it")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: isolation in a real browser, because chromium is not installed (apt-get install chromium)")
	}
	reports := make(chan string, 16)
	start := func(mode isolation.Mode) *edge {
		e := newEdge(t, func(o *ingress.Options) { o.Isolation = mode })
		e.sandbox(t, other, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "secret=of-B; Path=/")
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, victim)
		}, 8080)
		e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/report":
				report, _ := url.QueryUnescape(r.URL.RawQuery)
				reports <- report
			case "/sw.js":
				w.Header().Set("Content-Type", "text/javascript")
				w.Header().Set("Service-Worker-Allowed", "/")
			default:
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, spy)
			}
		}, 8080)
		return e
	}
	for _, c := range []struct {
		mode isolation.Mode
		want func(f findings, origin string)
	}{
		{isolation.Off, func(f findings, origin string) {
			require.Equal(t, findings{Cookie: "secret=of-B", Storage: "of B", Worker: origin + "/"}, f)
		}},
		{isolation.Cookies, func(f findings, _ string) {
			require.Empty(t, f.Cookie)
			require.NotContains(t, f.Worker, "http", "a scope, that is, a worker")
		}},
		{isolation.Strict, func(f findings, _ string) {
			require.Equal(t, "SecurityError", f.Cookie)
			require.Equal(t, "SecurityError", f.Storage)
			require.NotContains(t, f.Worker, "http")
		}},
	} {
		e := start(c.mode)
		for _, f := range []form{forms("8080")[0], forms("8080")[2]} {
			neighbour := strings.Replace(f.prefix, id, other, 1)
			stop := browse(t, browser, e.url+neighbour+"/?next="+f.prefix+"/")
			var report string
			select {
			case report = <-reports:
			case <-time.After(time.Minute):
				require.Fail(t, "the page did not report")
			}
			stop()
			var found findings
			require.NoError(t, json.Unmarshal([]byte(report), &found))
			c.want(found, e.url)
		}
	}
}

// browse opens a page in a browser with a profile of its own, until stop is called.
func browse(t *testing.T, browser, page string) (stop func()) {
	t.Helper()
	c := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), page)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, c.Start())
	stop = sync.OnceFunc(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
	})
	t.Cleanup(stop)
	return stop
}
