package lifecycle

// clip shortens a string that somebody else chose, for a message or a log line.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
