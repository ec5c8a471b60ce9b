package caddymodule

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/secret"
)

// notYet are the sections, and the keys in others, of backends and features that this
// version does not have; what they would do is refused when it is asked for.
var notYet = []string{
	"Kubernetes", "AgentSandbox", "Egress", "Storage.VolumeDefaultSize", "SecureRuntime.K8sRuntimeClass", "Ingress.SecureAccess", "RenewIntent.Redis",
}

// byAlias are the fields that are read, or made, under another name.
var byAlias = map[string]string{
	"Path":               "the file itself",
	"Store.Type":         "there is one",
	"Server.APIKey":      "Server.Keys",
	"Server.APIKeys":     "Server.Keys",
	"Server.APIKeyFile":  "Server.Keys",
	"Server.StrictModes": "decides while loading",
}

// A key that is accepted and does nothing misleads whoever sets it: every field of the
// configuration is read here or by the program, or its key is marked Inert.
func TestEveryKeyIsReadOrInert(t *testing.T) {
	read := reads(t)
	inert := map[string]bool{}
	c := reflect.TypeFor[config.Config]()
	for _, s := range config.Sections() {
		for _, k := range s.Keys {
			if k.Inert {
				inert[s.Name+"."+k.Name] = true
			}
		}
	}
	require.Equal(t, map[string]bool{
		"server.loop": true, "server.http": true,
	}, inert)
	exempt := map[string]bool{"Server.Loop": true, "Server.HTTP": true}
	fields := 0
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		for _, later := range notYet {
			if path == later {
				return
			}
		}
		for typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() == reflect.Struct && typ != reflect.TypeFor[secret.Text]() && typ != reflect.TypeFor[time.Time]() {
			for i := range typ.NumField() {
				if f := typ.Field(i); f.IsExported() {
					walk(strings.TrimPrefix(path+"."+f.Name, "."), f.Type)
				}
			}
			return
		}
		fields++
		if exempt[path] || byAlias[path] != "" {
			return
		}
		parts := strings.Split(path, ".")
		require.True(t, read[strings.Join(parts[len(parts)-2:], ".")], "%s is accepted and never read", path)
	}
	walk("", c)
	require.Greater(t, fields, 50)
}

// reads collects "Section.Field" of every selector in the product code. A section may
// be held in a variable that is named after its first letter, as in "l.FilePath".
func reads(t *testing.T) map[string]bool {
	t.Helper()
	read := map[string]bool{}
	var files []string
	for _, pattern := range []string{"*.go", "../cmd/opensandbox-server/*.go", "../cmd/opensandbox-server/internal/*/*.go", "../config/*.go"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			// In config only the accessors of a section read for the product; the rest
			// of it decodes and judges.
			if !ok || strings.HasPrefix(name, "../config/") && !isAccessor(f) {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if selector, ok := n.(*ast.SelectorExpr); ok {
					for _, section := range holders(selector.X) {
						read[section+"."+selector.Sel.Name] = true
					}
				}
				return true
			})
		}
	}
	return read
}

// isAccessor reports an exported method of a section.
func isAccessor(f *ast.FuncDecl) bool {
	if f.Recv == nil || !f.Name.IsExported() {
		return false
	}
	star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	_, isSection := reflect.TypeFor[config.Config]().FieldByName(star.X.(*ast.Ident).Name)
	return isSection
}

// holders are the sections that an expression may stand for.
func holders(x ast.Expr) []string {
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return []string{x.Sel.Name}
	case *ast.Ident:
		var out []string
		c := reflect.TypeFor[config.Config]()
		for i := range c.NumField() {
			section := c.Field(i).Name
			if x.Name == string(unicode.ToLower(rune(section[0]))) {
				out = append(out, section)
			}
		}
		return append(out, map[string][]string{"r": {"Also"}}[x.Name]...) // the routes of Ingress.Routes
	}
	return nil
}
