package extendedconnect

import (
	"os"
	"strings"
)

const (
	variable = "GODEBUG"
	setting  = "http2xconnect="
)

func init() { _ = os.Setenv(variable, enabled(os.Getenv(variable))) }

// enabled adds the setting unless it is there, on or off.
func enabled(settings string) string {
	switch {
	case strings.Contains(settings, setting):
		return settings
	case settings == "":
		return setting + "1"
	}
	return settings + "," + setting + "1"
}
