package execd

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/problem"
	"github.com/opensandbox-edge/edge/internal/identity"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// endpoint serves one route. params are the path's variable segments, in order. A
// returned error is written by the caller, so a handler that has begun to answer
// returns nil.
type endpoint func(w http.ResponseWriter, r *http.Request, params []string) error

// route is one row of contract 06 §3. "*" stands for one variable segment.
type route struct {
	method  string
	pattern string
	serve   endpoint
}

func (s *Server) table() []route {
	return []route{
		{"GET", "/ping", s.ping},
		{"HEAD", "/ping", s.ping},
		{"POST", "/command", s.runCommand},
		{"DELETE", "/command", s.interruptCommand},
		{"GET", "/command/status/*", s.commandStatus},
		{"GET", "/command/*/logs", s.commandLogs},
		{"GET", "/metrics", s.metricsNow},
		{"GET", "/metrics/watch", s.metricsWatch},
		{"GET", "/files/info", s.fileInfo},
		{"GET", "/files/search", s.searchFiles},
		{"GET", "/files/download", s.download},
		{"HEAD", "/files/download", s.download},
		{"DELETE", "/files", s.deleteFiles},
		{"POST", "/files/mv", s.moveFiles},
		{"POST", "/files/permissions", s.changePermissions},
		{"POST", "/files/replace", s.replaceInFiles},
		{"POST", "/files/upload", s.upload},
		{"GET", "/directories/list", s.listDirectory},
		{"POST", "/directories", s.makeDirectories},
		{"DELETE", "/directories", s.deleteDirectories},
	}
}

// ping answers from memory alone: a probe must not wait for anything. Whoever asks with a
// challenge is shown whose daemon this is.
func (s *Server) ping(w http.ResponseWriter, r *http.Request, _ []string) error {
	if challenge := r.Header.Get(wire.HeaderChallenge); identity.ValidChallenge(challenge) && !s.options.Access.chosen {
		w.Header().Set(wire.HeaderProof, identity.Prove(s.options.Access.key(), s.options.Process[wire.EnvSandboxID], challenge))
	}
	return empty(w)
}

// empty is success without data.
func empty(w http.ResponseWriter) error {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// route finds the row and writes the error of its endpoint. http.ServeMux is not
// used because it cleans paths and answers 404 and 405 in plain text.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	// One trailing slash is forgiven without a redirect, whose Location would not
	// survive a front that serves the daemon under a prefix.
	path := rawPath(r)
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	var allowed []string
	for _, row := range s.routes {
		params, ok := match(row.pattern, path)
		if !ok {
			continue
		}
		if row.method != r.Method {
			allowed = append(allowed, row.method)
			continue
		}
		_, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil { // Query would drop the part it cannot read, and with it a path to delete
			err = problem.Invalid("the query cannot be read: %s", err)
		} else {
			err = row.serve(w, r, params)
		}
		if err != nil {
			apierror.Write(w, err)
		}
		return
	}
	if len(allowed) > 0 {
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		apierror.Write(w, apierror.New(http.StatusMethodNotAllowed, problem.MethodNotAllowed,
			"%s is not a method of this path; use %s.", printable(r.Method), strings.Join(allowed, " or ")))
		return
	}
	apierror.Write(w, apierror.New(http.StatusNotFound, problem.NotFound, "404 page not found: the daemon has no such path."))
}

// match compares segment by segment; variable segments are decoded after the cut,
// so an encoded slash never makes two of one.
func match(pattern, path string) (params []string, ok bool) {
	for {
		var want, have string
		var moreWant, moreHave bool
		want, pattern, moreWant = strings.Cut(pattern, "/")
		have, path, moreHave = strings.Cut(path, "/")
		if want == "*" {
			value, err := url.PathUnescape(have)
			if err != nil || value == "" {
				return nil, false
			}
			params = append(params, value)
		} else if want != have {
			return nil, false
		}
		if moreWant != moreHave {
			return nil, false
		}
		if !moreWant {
			return params, true
		}
	}
}

// printable keeps client text out of error bodies unless it is plain.
func printable(method string) string {
	if len(method) > 16 {
		return "This"
	}
	return method
}
