package guard

import (
	"bytes"
	"slices"
)

// isProxyHeader tells the header of the PROXY protocol in text: a family with two addresses
// and two ports, or none. No request line looks like that.
func isProxyHeader(line []byte) bool {
	words := bytes.Split(line, []byte(" "))
	if string(words[0]) != "PROXY" {
		return false
	}
	if len(words) == 2 {
		return string(words[1]) == "UNKNOWN"
	}
	if len(words) != 6 || !slices.Contains([]string{"TCP4", "TCP6", "UNKNOWN"}, string(words[1])) {
		return false
	}
	_, ok := decimal(words[5])
	return ok
}
