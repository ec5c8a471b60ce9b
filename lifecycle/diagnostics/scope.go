package diagnostics

import (
	"net/http"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

// Kind is what a scoped report is about.
type Kind string

// The kinds of scoped reports.
const (
	KindLogs   Kind = "logs"
	KindEvents Kind = "events"
)

// Scope is the part of a kind that is wanted.
type Scope string

// The scopes there are something for (contract 01 §19.5).
const (
	ScopeContainer Scope = "container" // logs: of the sandbox's own container
	ScopeRuntime   Scope = "runtime"   // events: as the backend knows them
	ScopeLifecycle Scope = "lifecycle" // events: as this server remembers them
	ScopeAll       Scope = "all"
)

var scopes = map[Kind][]string{
	KindLogs:   {string(ScopeContainer), string(ScopeAll)},
	KindEvents: {string(ScopeRuntime), string(ScopeLifecycle), string(ScopeAll)},
}

// ParseScope reads a scope as it was spelled; one that the kind does not have is a 400.
func (k Kind) ParseScope(text string) (Scope, error) {
	if slices.Contains(scopes[k], text) {
		return Scope(text), nil
	}
	return "", apierror.New(http.StatusBadRequest, "DIAGNOSTICS_SCOPE_UNSUPPORTED",
		"There are no %s of scope %q here. Ask for one of: %s.", k, apierror.Clip(text), strings.Join(scopes[k], ", "))
}
