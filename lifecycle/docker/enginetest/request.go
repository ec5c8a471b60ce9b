package enginetest

import (
	"net/http"
	"regexp"
	"time"
)

// Request is one request that reached the proxy.
type Request struct {
	Method string
	// Path is without the version prefix, e.g. "/containers/create".
	Path  string
	Query string
	At    time.Time
	// Status is what the engine answered; 0 while there is no answer, or when a fault
	// took its place.
	Status int
}

var versionPrefix = regexp.MustCompile(`^/v[0-9]+\.[0-9]+`)

func newRequest(r *http.Request) Request {
	return Request{Method: r.Method, Path: versionPrefix.ReplaceAllString(r.URL.Path, ""), Query: r.URL.RawQuery, At: time.Now()}
}

// Match selects requests.
type Match func(Request) bool

// On matches a method and a pattern that must fit the whole path; an empty method fits all.
func On(method, pattern string) Match {
	expression := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(r Request) bool { return (method == "" || method == r.Method) && expression.MatchString(r.Path) }
}

// The requests tests are most often interested in.
var (
	Anything         = On("", ".*")
	CreateContainer  = On(http.MethodPost, "/containers/create")
	StartContainer   = On(http.MethodPost, "/containers/[^/]+/start")
	InspectContainer = On(http.MethodGet, "/containers/[^/]+/json")
	ListContainers   = On(http.MethodGet, "/containers/json")
	RemoveContainer  = On(http.MethodDelete, "/containers/[^/]+")
	PullImage        = On(http.MethodPost, "/images/create")
	StreamEvents     = On(http.MethodGet, "/events")
	// Changes are the requests that change something on the engine.
	Changes Match = func(r Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }
)
