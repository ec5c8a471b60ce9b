package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:generate go test -run "^TestReferencePage$" -update .

var update = flag.Bool("update", false, "rewrite golden files and docs/reference/configuration.md")

// golden compares got with a file, or rewrites the file with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s is out of date; run: go test ./config -update", path)
}

func TestReferencePage(t *testing.T) {
	head, err := os.ReadFile("testdata/reference-head.md")
	require.NoError(t, err)
	golden(t, "../docs/reference/configuration.md", append(head, referenceTables()...))
}

func referenceTables() []byte {
	var b bytes.Buffer
	for _, s := range Sections() {
		name := "[" + s.Name + "]"
		if s.Array {
			name = "[" + name + "]"
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s%s\n\n", name, cell(s.Doc), extra(s.NewKey))
		b.WriteString("| Key | Type | Default | Values | Meaning |\n|---|---|---|---|---|\n")
		for i := range s.Keys {
			k := &s.Keys[i]
			value := "`" + defaultLiteral(k) + "`"
			switch {
			case k.Required:
				value = "**required**"
			case k.Default == nil:
				value = "absent: " + k.Absent
			}
			doc := k.Doc
			if !k.Live {
				doc += " ↻"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s%s |\n", k.Name, k.Kind, cell(value), cell(k.bounds(english)), cell(doc), extra(k.NewKey && !s.NewKey))
		}
	}
	return b.Bytes()
}

func extra(newKey bool) string {
	if newKey {
		return " †"
	}
	return ""
}

// cell makes text fit for a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}
