package ossfs

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
)

// mountPoints reads the kernel's list of this process's mounts.
func mountPoints() (map[string]bool, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parseMountInfo(file)
}

func parseMountInfo(r io.Reader) (map[string]bool, error) {
	points := make(map[string]bool)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 {
			points[unescape(fields[4])] = true
		}
	}
	return points, lines.Err()
}

// unescape undoes the kernel's \ooo for spaces, tabs, line breaks and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
