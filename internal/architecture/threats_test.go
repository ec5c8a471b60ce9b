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

var (
	namedTest = regexp.MustCompile("`(?:([a-z0-9/_-]+)\\.)?((?:Test|Fuzz|Benchmark)\\w+)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
)

// Every test that the page of threats names exists, in the folder it is said to be in. A
// name without one is in the folder of the name before it.
func TestTheTestsOfTheThreatsExist(t *testing.T) {
	const root = "../.."
	tests := map[string][]string{} // folders by name
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = append(tests[string(m[1])], filepath.ToSlash(filepath.Dir(path)))
		}
		return err
	}))

	page, err := os.ReadFile(root + "/docs/concepts/threats.md")
	require.NoError(t, err)
	named := 0
	for line := range strings.Lines(string(page)) {
		folder := ""
		for _, m := range namedTest.FindAllStringSubmatch(line, -1) {
			if m[1] != "" {
				folder = m[1]
			}
			named++
			found := false
			for _, in := range tests[m[2]] {
				found = found || strings.HasSuffix(in, "/"+folder)
			}
			if !found {
				t.Errorf("there is no %s in %s, but in %v: %.40s…", m[2], folder, tests[m[2]], line)
			}
		}
	}
	require.Greater(t, named, 50, "the page names its tests")
}
