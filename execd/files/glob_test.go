package files

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"", "a/b.txt", true},
		{"**", "a/b.txt", true},
		{"*", "a/.hidden", true},
		{"*.txt", "a/b.txt", true},
		{"*.txt", "a/b.txt.gz", false},
		{"**/*.txt", "a/b.txt", true},
		{"**/*.txt", "b.txt", true},
		{"?.go", "x/a.go", true},
		{"[abc].go", "b.go", true},
		{"[a-c].go", "d.go", false},
		{"[!x].go", "x.go", false},
		{"[^x].go", "y.go", true},
		{"*.{js,t{s,sx}}", "a.tsx", true},
		{"*.TXT", "a.txt", false},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{"!(a)", "a", false},
		{"!(a)", "b", true},
		{"!(*.txt)", "a.txt", false},
		{"!(*.txt|*.md)", "a.md", false},
		{"!(*.txt|*.md)", "a.go", true},
		{"test_!(skip).py", "test_run.py", true},
		{"test_!(skip).py", "test_skip.py", false},
		// with a slash, the path below the root counts
		{"src/*.go", "src/a.go", true},
		{"src/*.go", "x/src/a.go", false},
		{"**/src/*.go", "x/src/a.go", true},
		{"src/**/a.go", "src/x/y/a.go", true},
		{"src/!(x)/a.go", "src/x/a.go", false},
		{"src/!(x)/a.go", "src/y/a.go", true},
		{"src/!(x)/a.go", "src/y/z/a.go", false},
	} {
		g, err := compile(c.pattern)
		require.NoError(t, err, c.pattern)
		require.Equal(t, c.want, g.match(c.path), "%s against %s", c.pattern, c.path)
	}
	for _, bad := range []string{"[", "{a", "!([)", "!(a)!(b)!(c)", "{a,!(b)}", "!(a/b)", `a\`} {
		_, err := compile(bad)
		require.ErrorIs(t, err, ErrPattern, bad)
	}
}

// FuzzGlob: no pattern and no name make it panic or run away.
func FuzzGlob(f *testing.F) {
	f.Add("**/*.{a,b}", "x/y.a")
	f.Add("!(a|b)c", "abc")
	f.Add("[!x]?\\", "\xff/")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 40 || len(name) > 40 {
			return
		}
		if g, err := compile(pattern); err == nil {
			g.match(name)
		}
	})
}
