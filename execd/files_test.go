package execd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/execd/files"
)

func at(path string) string { return "path=" + url.QueryEscape(path) }

func body(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// part is one part of a hand-made form: whatever a client might send.
type part struct{ disposition, body string }

func metadata(v string) part { return part{`form-data; name="metadata"; filename="metadata"`, v} }
func file(v string) part     { return part{`form-data; name="file"; filename="x"`, v} }

func form(t *testing.T, parts ...part) (contentType, text string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		to, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {p.disposition}})
		require.NoError(t, err)
		_, _ = io.WriteString(to, p.body)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.String()
}

// A body of JSON is read into memory, so it is bounded; what carries content has more room.
func TestBodiesAreBounded(t *testing.T) {
	d := serve(t, nil)
	dir := t.TempDir()
	pad := func(n int) string { return strings.Repeat("x", n) }
	for path, send := range map[string]func(pad string) (method, body string){
		"/command":  func(p string) (string, string) { return "POST", body(t, map[string]any{"command": "true", "pad": p}) },
		"/files/mv": func(p string) (string, string) { return "POST", body(t, []map[string]string{{"src": p, "dest": p}}) },
		"/files/permissions": func(p string) (string, string) {
			return "POST", body(t, map[string]any{p: map[string]any{"mode": 644}})
		},
		"/directories": func(p string) (string, string) {
			return "POST", body(t, map[string]any{p: map[string]any{"mode": 755}})
		},
	} {
		method, text := send(pad(1 << 20))
		require.Equal(t, "INVALID_REQUEST_BODY", d.do(method, path, text).problem(t, http.StatusRequestEntityTooLarge), path)
	}
	method, text := "POST", body(t, map[string]any{"command": "true", "pad": pad(1<<20 - 100)})
	require.Equal(t, http.StatusOK, d.do(method, "/command", text).status)

	name := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(name, []byte("old"), 0o600))
	replace := func(n int) answer {
		return d.do("POST", "/files/replace", body(t, map[string]any{name: map[string]string{"old": "old", "new": pad(n)}}))
	}
	require.Equal(t, "INVALID_REQUEST_BODY", replace(16<<20).problem(t, http.StatusRequestEntityTooLarge))
	require.Equal(t, "old", read(t, name))
	require.Equal(t, http.StatusOK, replace(15<<20).status)
	require.Len(t, read(t, name), 15<<20)
	require.Equal(t, http.StatusOK, d.upload(metadata(body(t, map[string]string{"path": name})), file(pad(40<<20))).status, "uploads have no bound")
}

func (d *daemon) upload(parts ...part) answer {
	kind, text := form(d.t, parts...)
	return d.do("POST", "/files/upload", text, "Content-Type", kind)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestUpload(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, func(o *Options) { o.Process["WHERE"] = dir })
	a, b := filepath.Join(dir, "sub/a.txt"), filepath.Join(dir, "b.bin")
	big := strings.Repeat("\x00\r\n--x", 1<<20)
	res := d.upload(
		metadata(body(t, map[string]any{"path": "$WHERE/sub/a.txt", "owner": nil, "group": nil, "mode": 640})), file("alpha"),
		part{`form-data; name="metadata"`, body(t, map[string]any{"path": b})}, part{`form-data; name="file"; filename=""`, big},
	)
	require.Equal(t, 200, res.status, res.body)
	require.Empty(t, res.body)
	require.Equal(t, "alpha", read(t, a))
	require.Equal(t, big, read(t, b))
	var info map[string]files.Info
	d.do("GET", "/files/info?"+at(a)+"&"+at("$WHERE/b.bin"), "").into(t, &info)
	require.Equal(t, 640, info[a].Mode)
	require.EqualValues(t, len(big), info["$WHERE/b.bin"].Size, "keyed by the path as requested")

	// Pairs go by index, in whatever order the parts come.
	res = d.upload(file("1"), file("2"), metadata(body(t, map[string]any{"path": a})), metadata(body(t, map[string]any{"path": b})))
	require.Equal(t, 200, res.status, res.body)
	require.Equal(t, "1", read(t, a))
	require.Equal(t, "2", read(t, b))
}

func TestUploadRefusals(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, nil)
	old := filepath.Join(dir, "old")
	require.NoError(t, os.WriteFile(old, []byte("old"), 0o644))
	good := metadata(body(t, map[string]any{"path": old}))
	for name, c := range map[string]struct {
		parts  []part
		status int
		code   string
	}{
		"nothing":          {nil, 400, "INVALID_FILE"},
		"no metadata":      {[]part{file("x")}, 400, "INVALID_FILE_METADATA"},
		"no file":          {[]part{good}, 400, "INVALID_FILE_CONTENT"},
		"plain file field": {[]part{good, {`form-data; name="file"`, "x"}}, 400, "INVALID_FILE_CONTENT"},
		"counts differ":    {[]part{good, file("x"), good}, 400, "INVALID_FILE"},
		"bad metadata":     {[]part{metadata("{"), file("x")}, 400, "INVALID_FILE_METADATA"},
		"empty path":       {[]part{metadata(`{"path":" "}`), file("x")}, 400, "INVALID_FILE_METADATA"},
		"huge metadata":    {[]part{metadata(`{"path":"` + strings.Repeat("x", files.MaxMetadata) + `"}`), file("x")}, 400, "INVALID_FILE_METADATA"},
		"a directory":      {[]part{metadata(body(t, map[string]any{"path": dir})), file("x")}, 400, "INVALID_REQUEST_BODY"},
		"unknown owner":    {[]part{metadata(body(t, map[string]any{"path": old, "owner": "nobody-knows"})), file("x")}, 500, "RUNTIME_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			res := d.upload(c.parts...)
			if name == "nothing" {
				res = d.do("POST", "/files/upload", "x")
			}
			require.Equal(t, c.code, res.problem(t, c.status))
		})
	}

	// A form that breaks off changes nothing and leaves nothing.
	kind, text := form(t, good, file(strings.Repeat("new", 100_000)))
	res := d.do("POST", "/files/upload", text[:len(text)/2], "Content-Type", kind)
	require.Equal(t, "INVALID_FILE", res.problem(t, 400))
	require.Equal(t, "old", read(t, old))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestDownload(t *testing.T) {
	dir := t.TempDir()
	d := serve(t, nil)
	path := filepath.Join(dir, "digits.txt")
	require.NoError(t, os.WriteFile(path, []byte("0123456789abcdef"), 0o644))
	target := "/files/download?" + at(path)

	a := d.do("GET", target, "")
	require.Equal(t, "0123456789abcdef", a.body)
	require.Equal(t, "application/octet-stream", a.header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="digits.txt"`, a.header.Get("Content-Disposition"))
	require.Equal(t, "bytes", a.header.Get("Accept-Ranges"))
	require.Equal(t, "16", a.header.Get("Content-Length"))
	require.Equal(t, http.StatusNotModified, d.do("GET", target, "", "If-Modified-Since", a.header.Get("Last-Modified")).status)

	for header, want := range map[string][2]string{
		"bytes=0-9":        {"0123456789", "bytes 0-9/16"},
		"bytes=10-":        {"abcdef", "bytes 10-15/16"},
		"bytes=-3":         {"def", "bytes 13-15/16"},
		"bytes=99-,1-2,3-": {"12", "bytes 1-2/16"},
	} {
		a := d.do("GET", target, "", "Range", header)
		require.Equal(t, 206, a.status, header)
		require.Equal(t, want[0], a.body)
		require.Equal(t, want[1], a.header.Get("Content-Range"))
	}
	for _, header := range []string{"bytes=16-", "bytes=x"} {
		a := d.do("GET", target, "", "Range", header)
		require.Equal(t, "UNKNOWN", a.problem(t, 416))
		require.Equal(t, "bytes */16", a.header.Get("Content-Range"))
	}

	// A directory, a missing file, no path.
	require.Equal(t, "INVALID_REQUEST_BODY", d.do("GET", "/files/download?"+at(dir), "").problem(t, 400))
	require.Equal(t, "FILE_NOT_FOUND", d.do("GET", "/files/download?"+at(path+"x"), "").problem(t, 404))
	require.Equal(t, "MISSING_QUERY", d.do("GET", "/files/download", "").problem(t, 400))
	require.Equal(t, "RUNTIME_ERROR", d.do("GET", "/files/download?"+at("$NOT_SET_AT_ALL/x"), "").problem(t, 500))

	// Names are hostile.
	odd := filepath.Join(dir, "a\"\r\nSet-Cookie: x=ü")
	require.NoError(t, os.WriteFile(odd, nil, 0o644))
	a = d.do("GET", "/files/download?"+at(odd), "")
	require.Equal(t, 200, a.status)
	require.Empty(t, a.body)
	require.Empty(t, a.header.Get("Set-Cookie"))
	require.Equal(t, `attachment; filename="a%22%0D%0ASet-Cookie:%20x=%C3%BC"; filename*=UTF-8''a%22%0D%0ASet-Cookie:%20x=%C3%BC`, a.header.Get("Content-Disposition"))

	a = d.do("GET", "/files/download?"+at("/proc/self/status"), "")
	require.Contains(t, a.body, "Umask:", "files of /proc claim to be empty")
}

func TestDownloadLines(t *testing.T) {
	d := serve(t, nil)
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("line1\nline2\nline3\nline4\nline5"), 0o644))
	target := "/files/download?" + at(path)
	for query, want := range map[string]string{
		"&offset=2&limit=2": "line2\nline3",
		"&offset=4":         "line4\nline5",
		"&limit=2":          "line1\nline2",
		"&offset=9":         "",
	} {
		a := d.do("GET", target+query, "")
		require.Equal(t, 200, a.status)
		require.Equal(t, want, a.body, query)
		require.Equal(t, "text/plain; charset=utf-8", a.header.Get("Content-Type"))
	}
	for _, query := range []string{"&offset=0", "&limit=0", "&offset=x", "&limit="} {
		require.Equal(t, "INVALID_REQUEST_BODY", d.do("GET", target+query, "").problem(t, 400), query)
	}
	require.Equal(t, "INVALID_REQUEST_BODY", d.do("GET", target+"&offset=1", "", "Range", "bytes=0-1").problem(t, 400))
}

func TestFileOperations(t *testing.T) {
	d := serve(t, nil)
	dir := t.TempDir()
	f, g := filepath.Join(dir, "f"), filepath.Join(dir, "x/g")
	require.NoError(t, os.WriteFile(f, []byte("a b a"), 0o644))
	var info map[string]files.Info
	d.do("GET", "/files/info", "").into(t, &info)
	require.Empty(t, info)

	a := d.do("POST", "/files/replace?verbose=true", body(t, map[string]any{f: map[string]string{"old": "a", "new": "c"}}))
	require.JSONEq(t, fmt.Sprintf(`{%q:{"replacedCount":2}}`, f), a.body)
	require.Equal(t, "c b c", read(t, f))
	require.Empty(t, d.do("POST", "/files/replace", body(t, map[string]any{f: map[string]string{"old": "zz"}})).body)
	d.do("POST", "/files/replace", body(t, map[string]any{f: map[string]string{"new": "x"}})).problem(t, 400)
	require.Equal(t, "FILE_NOT_FOUND", d.do("POST", "/files/replace", body(t, map[string]any{g: map[string]string{"old": "x"}})).problem(t, 404))

	require.Equal(t, 200, d.do("POST", "/files/permissions", body(t, map[string]any{f: map[string]any{"mode": 600}})).status)
	require.Equal(t, "RUNTIME_ERROR", d.do("POST", "/files/permissions", body(t, map[string]any{g: map[string]any{}})).problem(t, 500))
	d.do("POST", "/files/permissions", "nonsense").problem(t, 400)

	require.Equal(t, 200, d.do("POST", "/files/mv", body(t, []any{map[string]string{"src": f, "dest": g}})).status)
	require.Equal(t, "FILE_NOT_FOUND", d.do("POST", "/files/mv", body(t, []any{map[string]string{"src": f, "dest": g}})).problem(t, 404))
	require.NoError(t, os.WriteFile(f, nil, 0o644))
	require.Equal(t, "RUNTIME_ERROR", d.do("POST", "/files/mv", body(t, []any{map[string]string{"src": f, "dest": g}})).problem(t, 500))
	d.do("POST", "/files/mv", body(t, []any{map[string]string{"src": f}})).problem(t, 400)

	d.do("GET", "/files/info?"+at(g), "").into(t, &info)
	require.Equal(t, 600, info[g].Mode)
	require.WithinDuration(t, time.Now(), info[g].ModifiedAt, time.Minute)
	require.Equal(t, "FILE_NOT_FOUND", d.do("GET", "/files/info?"+at(g)+"&"+at(dir+"/no"), "").problem(t, 404))

	require.Equal(t, 200, d.do("DELETE", "/files?"+at(g)+"&"+at(f)+"&"+at(dir+"/no"), "").status)
	require.NoFileExists(t, g)
	require.Equal(t, "RUNTIME_ERROR", d.do("DELETE", "/files?"+at(dir), "").problem(t, 500))
}

func TestDirectoriesAndSearch(t *testing.T) {
	d := serve(t, nil)
	root := filepath.Join(t.TempDir(), "root")
	a := d.do("POST", "/directories", body(t, map[string]any{root + "/b/c": map[string]any{"mode": 700}, root + "/a": map[string]any{}}))
	require.Equal(t, 200, a.status, a.body)
	require.NoError(t, os.WriteFile(root+"/b/x.txt", nil, 0o644))
	names := func(target string) (out []string) {
		var infos []files.Info
		d.do("GET", target, "").into(t, &infos)
		for _, i := range infos {
			out = append(out, strings.TrimPrefix(i.Path, root))
		}
		return out
	}
	require.Equal(t, []string{"/a", "/b"}, names("/directories/list?"+at(root)))
	require.Equal(t, []string{"/a", "/b", "/b/c", "/b/x.txt"}, names("/directories/list?depth=2&"+at(root)))
	require.Equal(t, "[]", d.do("GET", "/directories/list?depth=0&"+at(root), "").body)
	for query, status := range map[string]int{
		"": 400, "depth=-1&" + at(root): 400, "depth=x&" + at(root): 400, at(root + "/no"): 404, at(root + "/b/x.txt"): 400,
	} {
		d.do("GET", "/directories/list?"+query, "").problem(t, status)
	}

	require.Equal(t, []string{"/b/x.txt"}, names("/files/search?pattern=*.txt&"+at(root)))
	require.Equal(t, "[]", d.do("GET", "/files/search?pattern=*.go&"+at(root), "").body)
	require.Equal(t, "MISSING_QUERY", d.do("GET", "/files/search?pattern=*", "").problem(t, 400))
	require.Equal(t, "FILE_NOT_FOUND", d.do("GET", "/files/search?"+at(root+"/no"), "").problem(t, 404))
	require.Equal(t, "INVALID_REQUEST_BODY", d.do("GET", "/files/search?pattern=%5B&"+at(root), "").problem(t, 400))
	d.do("GET", "/files/search?type=pipe&"+at(root), "").problem(t, 400)
	d.do("GET", "/files/search?limit=-1&"+at(root), "").problem(t, 400)

	require.Equal(t, 200, d.do("DELETE", "/directories?"+at(root)+"&"+at(root+"/no"), "").status)
	require.NoDirExists(t, root)
	d.do("DELETE", "/directories?"+at("/"), "").problem(t, 400)
	d.do("POST", "/directories", `{"":{}}`).problem(t, 400)
}
