package environ

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// maxFile bounds the env file: more cannot be passed through exec anyway.
const maxFile = 1 << 20

// ReadFile reads the env file at path; see Parse. The file belongs to the
// sandbox and may be anything, so nothing but a regular file is read: a FIFO in
// its place must not hang every command.
func ReadFile(path string, process Vars) (vars Vars, warnings []string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open env file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("env file %s is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read env file: %w", err)
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("env file %s is larger than %d bytes", path, maxFile)
	}
	vars, warnings = Parse(data, process)
	return vars, warnings, nil
}

// Parse reads KEY=VALUE lines (contract 06 §6.5): lines are trimmed, blank and
// "#" lines skipped, $VAR and ${VAR} in values replaced from process. There is
// no quoting and no export. Of repeated names the last counts. A line that is
// none of this is skipped and reported by number, never by content: it may be
// half of a secret.
func Parse(data []byte, process Vars) (vars Vars, warnings []string) {
	vars = Vars{}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		name = strings.TrimSpace(name)
		if !ok || !ValidName(name) || !ValidValue(value) {
			warnings = append(warnings, fmt.Sprintf("line %d of the env file is not KEY=VALUE", number))
			continue
		}
		if name == wire.EnvExecdToken || name == wire.EnvExecdTokenSum {
			continue
		}
		vars[name], _ = expand(value, process.Lookup)
	}
	return vars, warnings
}
