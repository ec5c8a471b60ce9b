package wire

// maxID is the longest id, that of a DNS label.
const maxID = 63

// ValidID tells whether s can be a sandbox: [A-Za-z0-9_-]{1,63} and no root of ours,
// whose routes an adopted sandbox of that name would share (threat row R5). Any other id
// is unknown before a backend sees it.
func ValidID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return !ReservedRoot(s)
}

// ReservedRoot tells whether a first path segment belongs to the server itself.
func ReservedRoot(segment string) bool {
	switch segment {
	case "v1", "sandboxes", "snapshots", "pools",
		"health", "status.ok", "metrics", "docs", "redoc", "openapi.json":
		return true
	}
	return false
}
