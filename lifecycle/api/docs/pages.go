package docs

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/swaggest/swgui/v5/static"
)

//go:embed assets
var assets embed.FS

const (
	html       = "text/html; charset=utf-8"
	script     = "text/javascript; charset=utf-8"
	stylesheet = "text/css; charset=utf-8"
	png        = "image/png"
)

// sources says where each path comes from.
var sources = []struct {
	path        string
	from        fs.FS
	name        string // a name that ends in .gz is unpacked for clients without gzip
	contentType string
}{
	{"/docs", assets, "assets/swagger.html", html},
	{"/docs/oauth2-redirect", assets, "assets/oauth2-redirect.html", html},
	{"/docs/assets/swagger.js", assets, "assets/swagger.js", script},
	{"/docs/assets/page.css", assets, "assets/page.css", stylesheet},
	{"/docs/assets/swagger-ui-bundle.js", static.FS, "swagger-ui-bundle.js.gz", script},
	{"/docs/assets/swagger-ui.css", static.FS, "swagger-ui.css.gz", stylesheet},
	{"/docs/assets/favicon.png", static.FS, "favicon-32x32.png", png},
	{"/redoc", assets, "assets/redoc.html", html},
	{"/redoc/assets/redoc.js", assets, "assets/redoc.js", script},
	{"/redoc/assets/redoc-styles.js", assets, "assets/redoc-styles.js", script},
	{"/redoc/assets/page.css", assets, "assets/page.css", stylesheet},
	{"/redoc/assets/redoc.standalone.js", assets, "assets/redoc.standalone.js.gz", script},
}

// Files returns every file of the pages by its path. The pages also need
// /openapi.json, which the caller has. It fails only on a broken build.
func Files() (map[string]*File, error) {
	files := make(map[string]*File, len(sources))
	for _, s := range sources {
		content, err := fs.ReadFile(s.from, s.name)
		if err != nil {
			return nil, fmt.Errorf("reading the documentation page %s: %w", s.path, err)
		}
		f := NewFile(s.contentType, content)
		if strings.HasSuffix(s.name, ".gz") {
			if f, err = newCompressed(s.contentType, content); err != nil {
				return nil, fmt.Errorf("reading the documentation page %s: %w", s.path, err)
			}
		}
		files[s.path] = f
	}
	return files, nil
}
