package apierror

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// style is the one thing that the page's policy admits, by its hash.
const style = `body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}` +
	`h1{font-size:1.5rem}p.code{color:#666;font-size:.85rem}` +
	`@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}p.code{color:#999}}`

// pagePolicy lets the page load and run nothing. It may be framed: consoles show
// sandboxes in frames, and there is nothing on it to press.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{{if .Again}}<meta http-equiv="refresh" content="{{.Again}}">
{{end}}<title>{{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Message}}</p>
{{if .Again}}<p>This page tries again by itself.</p>
{{end}}<p class="code">{{.Status}} · {{.Code}}</p>
</body>
</html>
`))

// Navigates tells requests by which a browser shows a page to somebody: Accept prefers
// HTML, and it is a navigation as far as the browser tells. Programs get JSON.
func Navigates(r *http.Request) bool {
	switch mode := r.Header["Sec-Fetch-Mode"]; {
	case len(mode) > 0:
		if mode[0] != "navigate" {
			return false
		}
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return false
	}
	html := quality(r.Header["Accept"], "text/html")
	return html > 0 && html >= quality(r.Header["Accept"], "application/json")
}

// quality is the weight, 0…1, that an Accept field gives to a media type by name.
// Wildcards do not count: every program sends one.
func quality(accept []string, mediaType string) (best float64) {
	for _, list := range accept {
		for item := range strings.SplitSeq(list, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), mediaType) {
				continue
			}
			q := 1.0
			for parameter := range strings.SplitSeq(parameters, ";") {
				if key, value, _ := strings.Cut(parameter, "="); strings.EqualFold(strings.TrimSpace(key), "q") {
					var err error
					if q, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
						q = 0
					}
				}
			}
			best = max(best, q)
		}
	}
	return best
}

// writePage answers with a small page that says what the JSON says. The only data of a
// request on it is a sandbox id inside a message, and the template escapes everything.
func writePage(w http.ResponseWriter, r *http.Request, e *Error) {
	data := struct {
		Title, Message, Code string
		Status, Again        int
	}{http.StatusText(e.Status), e.Message, e.Code, e.Status, 0}
	if e.Status == http.StatusServiceUnavailable && r.Method == http.MethodGet {
		data.Again = e.RetryAfter
	}
	var body bytes.Buffer
	_ = page.Execute(&body, data) // into memory: cannot fail
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	write(w, e, "text/html; charset=utf-8", body.Bytes())
}
