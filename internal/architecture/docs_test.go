package architecture_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

// Every page is found by following links from the README, and no link of theirs leads nowhere.
func TestEveryPageIsLinked(t *testing.T) {
	const root = "../.."
	seen := map[string]bool{}
	for queue := []string{"README.md"}; len(queue) > 0; {
		page := queue[0]
		queue = queue[1:]
		if seen[page] {
			continue
		}
		seen[page] = true
		text, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := filepath.Join(filepath.Dir(page), m[1])
			_, err := os.Stat(filepath.Join(root, to))
			require.NoError(t, err, "%s has a link to %s", page, m[1])
			if strings.HasSuffix(to, ".md") {
				queue = append(queue, to)
			}
		}
	}
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if page, _ := filepath.Rel(root, path); strings.HasSuffix(page, ".md") {
			require.True(t, seen[page], "no link leads to %s", page)
		}
		return err
	}))
}
