// Package version names this build.
package version

import "runtime/debug"

// Version is set by the linker; a plain `go build` leaves "dev".
var Version = "dev"

// Revision is the commit the binary was built from, or "" when the build did not record one.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
