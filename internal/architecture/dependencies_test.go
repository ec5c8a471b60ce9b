package architecture_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/opensandbox-edge/edge/"

// leaves import nothing of ours and may be imported by everybody.
var leaves = []string{"apierror", "secret", "internal/version", "internal/wire", "internal/backoff", "internal/identity", "internal/quote", "logging/rotate"}

// mayImport says, per folder, which of our other folders its code (tests aside) may
// import beside the leaves. A folder covers its sub-folders unless they have a row of
// their own. A folder without a row fails the test: every new package has to state its place.
var mayImport = map[string][]string{
	"apierror":          {},
	"secret":            {},
	"internal/version":  {},
	"internal/wire":     {},
	"internal/backoff":  {},
	"internal/identity": {},
	"logging/rotate":    {},
	"internal/quote":    {},

	// Pure decisions.
	"ingress/route":     {},
	"ingress/forwarded": {"ingress/route"},
	"ingress/isolation": {},
	"ingress/sign":      {},
	"ingress/access":    {"ingress/sign"},
	"ingress/attempts":  {"ingress/forwarded", "ingress/sign"},
	"auth":              {"ingress/route", "ingress/forwarded"},
	"config":            {},
	"logging":           {},

	// The control plane knows neither HTTP routes nor Caddy.
	"lifecycle":             {},
	"lifecycle/diagnostics": {"lifecycle"},
	"lifecycle/docker":      {"lifecycle", "lifecycle/diagnostics", "lifecycle/snapshots"},
	"lifecycle/store":       {"lifecycle", "lifecycle/pools", "lifecycle/snapshots"},
	"lifecycle/renew":       {"lifecycle"},
	"lifecycle/pools":       {"lifecycle"},
	"lifecycle/snapshots":   {"lifecycle"},
	"lifecycle/feed":        {"lifecycle", "auth", "ingress/route"},
	"lifecycle/runtimefake": {"lifecycle"},
	"lifecycle/runtimetest": {"lifecycle", "lifecycle/diagnostics"},
	"lifecycle/api":         {"lifecycle", "lifecycle/pools", "lifecycle/snapshots", "lifecycle/diagnostics", "auth", "ingress/route", "ingress/sign"},

	// The client's side of HTTP/1.1 knows no sandboxes.
	"ingress/guard":    {},
	"ingress/h1":       {},
	"ingress/upstream": {"lifecycle", "ingress/h1"},
	"ingress/lane":     {"ingress/guard"},

	// The data plane sees the control plane through the directory's entries alone.
	"ingress": {
		"auth",
		"ingress/access",
		"ingress/attempts",
		"ingress/isolation",
		"ingress/route",
		"ingress/sign",
		"ingress/upstream",
		"lifecycle",
	},

	// The daemon in the sandbox imports nothing from the server.
	"execd": {},

	// Adapters and programs.
	"caddymodule": {
		"auth",
		"config",
		"ingress",
		"ingress/attempts",
		"ingress/forwarded",
		"ingress/guard",
		"ingress/isolation",
		"ingress/lane",
		"ingress/route",
		"ingress/sign",
		"ingress/upstream",
		"internal/extendedconnect",
		"lifecycle",
		"lifecycle/api",
		"lifecycle/diagnostics",
		"lifecycle/docker",
		"lifecycle/feed",
		"lifecycle/pools",
		"lifecycle/renew",
		"lifecycle/snapshots",
		"lifecycle/store",
		"logging",
	},
	"cmd/opensandbox-server": {"caddymodule", "config"},
	"cmd/opensandbox-execd":  {"execd"},
	"deploy/images":          {},
	"deploy/monitoring":      {},
	"test":                   {},
	"test/bench":             {"lifecycle", "lifecycle/feed", "lifecycle/store", "auth", "ingress/route", "test"},

	"internal/architecture":    {},
	"internal/porttest":        {},
	"internal/dockertest":      {},
	"internal/redistest":       {"internal/porttest"},
	"internal/extendedconnect": {},
	"internal/websockettest":   {},
}

// only names the packages that may import a third-party tree at all.
var only = map[string][]string{
	"github.com/docker/docker":    {"lifecycle/docker"},
	"k8s.io":                      {"lifecycle/kubernetes"},
	"github.com/caddyserver":      {"caddymodule", "cmd/opensandbox-server"},
	"github.com/jmoiron/sqlx":     {"lifecycle/store"},
	"modernc.org/sqlite":          {"lifecycle/store"},
	"github.com/BurntSushi/toml":  {"config"},
	"github.com/pelletier":        {"config"},
	"github.com/google/go-contai": {"deploy/images"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestArrowsPointOneWay(t *testing.T) {
	used := map[arrow]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		row, allowed := rule(name)
		if !allowed {
			t.Errorf("%s has no row in the import table: say what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, module)
			if !isOurs {
				continue
			}
			to, _ := rule(ours)
			used[arrow{row, to}] = true
			isLeaf := contains(leaves, to) && !contains(leaves, row)
			if to != row && !isLeaf && !contains(mayImport[row], to) {
				t.Errorf("%s must not import %s: allowed are %v and %v", name, ours, mayImport[row], leaves)
			}
		}
	}
	for row, targets := range mayImport {
		for _, to := range targets {
			if !used[arrow{row, to}] {
				t.Errorf("%s does not import %s: take it out of the import table", row, to)
			}
		}
	}
}

// arrow is an import of one row's folder by another's.
type arrow struct{ from, to string }

func TestThirdPartiesStayInTheirRoom(t *testing.T) {
	for _, p := range packages(t) {
		row, _ := rule(strings.TrimPrefix(p.ImportPath, module))
		for _, imported := range p.Imports {
			for prefix, rooms := range only {
				if strings.HasPrefix(imported, prefix) && !contains(rooms, row) {
					t.Errorf("%s imports %s, which belongs in %v", p.ImportPath, imported, rooms)
				}
			}
		}
	}
}

// rule finds the longest row that covers a folder.
func rule(folder string) (string, bool) {
	best := ""
	for row := range mayImport {
		if (folder == row || strings.HasPrefix(folder, row+"/")) && len(row) > len(best) {
			best = row
		}
	}
	return best, best != ""
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}
