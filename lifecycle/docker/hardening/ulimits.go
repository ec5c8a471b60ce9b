package hardening

import (
	"fmt"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"
)

// readUlimits reads "name=soft" and "name=soft:hard"; -1 is unlimited.
func readUlimits(entries []string) ([]*container.Ulimit, error) {
	var out []*container.Ulimit
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		limit, err := units.ParseUlimit(entry)
		if err != nil {
			return nil, fmt.Errorf("%q: want for example \"nofile=1024:4096\": %w", entry, err)
		}
		if seen[limit.Name] {
			return nil, fmt.Errorf("%s is given twice", limit.Name)
		}
		seen[limit.Name] = true
		out = append(out, limit)
	}
	return out, nil
}
