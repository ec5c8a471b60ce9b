package lifecycle

import (
	"regexp"
	"slices"
)

var idGrammar = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// reservedIDs are first path segments that the API or the edge answers itself. A
// sandbox of that name, which an adopted label may bring, would share its routes.
var reservedIDs = []string{
	"v1", "sandboxes", "snapshots", "pools", "proxy",
	"health", "docs", "redoc", "openapi", "metrics", "status",
}

// ValidID tells whether id can be a sandbox: one DNS label's worth of harmless
// characters, and no path of the API. Any other id is unknown before a backend sees it.
func ValidID(id string) bool {
	return idGrammar.MatchString(id) && !slices.Contains(reservedIDs, id)
}

// clip shortens a string that somebody else chose, for a message or a log line.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
