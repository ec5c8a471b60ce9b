package execd

import (
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"slices"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/execd/files"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// path expands a path of a request with the daemon's own environment.
func (s *Server) path(requested string) (string, error) {
	path, err := environ.Path(requested, s.options.Process)
	if err != nil {
		return "", problem.Runtime("resolving the path "+requested, err)
	}
	return path, nil
}

// fileError maps what went wrong with a path to what the client sees.
func fileError(doing, path string, err error) error {
	var known *apierror.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return problem.NoFile(path).Because(err)
	case errors.Is(err, files.ErrNotRegular):
		return problem.Invalid("%s is not a regular file", path).Because(err)
	case errors.Is(err, files.ErrNotDirectory):
		return problem.Invalid("%s is not a directory", path).Because(err)
	case errors.Is(err, files.ErrLink):
		return problem.Invalid("%s is a symbolic link", path).Because(err)
	default:
		return problem.Runtime(doing+" "+path, err)
	}
}

// links reads the query parameter follow, which is ours: writes leave symbolic
// links alone unless it is "true".
func links(r *http.Request) files.Links {
	if r.URL.Query().Get("follow") == "true" {
		return files.FollowLinks
	}
	return files.KeepLinks
}

// fileInfo is GET /files/info?path=…&path=…
func (s *Server) fileInfo(w http.ResponseWriter, r *http.Request, _ []string) error {
	describer, out := files.NewDescriber(), map[string]files.Info{}
	for _, requested := range r.URL.Query()["path"] {
		path, err := s.path(requested)
		if err != nil {
			return err
		}
		info, err := describer.Path(path)
		if err != nil {
			return fileError("reading", requested, err)
		}
		out[requested] = info
	}
	return writeJSON(w, out)
}

// deleteFiles is DELETE /files?path=…; it stops at the first error, which names the path.
func (s *Server) deleteFiles(w http.ResponseWriter, r *http.Request, _ []string) error {
	for _, requested := range r.URL.Query()["path"] {
		path, err := s.path(requested)
		if err != nil {
			return err
		}
		if err := files.Remove(path); err != nil {
			return fileError("deleting", requested, err)
		}
	}
	return empty(w)
}

// changePermissions is POST /files/permissions, a map of path to Permission. The
// order is that of the paths, so that a failure leaves a known state.
func (s *Server) changePermissions(w http.ResponseWriter, r *http.Request, _ []string) error {
	var body map[string]files.Permission
	if err := s.decode(w, r, &body); err != nil {
		return err
	}
	for _, requested := range slices.Sorted(maps.Keys(body)) {
		path, err := s.path(requested)
		if err == nil {
			err = files.Apply(path, body[requested], links(r))
		}
		if err != nil { // a missing file is a 500 here, by contract
			return problem.Runtime("changing permissions of "+requested, err)
		}
	}
	return empty(w)
}

type move struct {
	Src  string `json:"src"`
	Dest string `json:"dest"`
}

// moveFiles is POST /files/mv, a list carried out in order.
func (s *Server) moveFiles(w http.ResponseWriter, r *http.Request, _ []string) error {
	var body []move
	if err := s.decode(w, r, &body); err != nil {
		return err
	}
	for _, m := range body {
		if m.Src == "" || m.Dest == "" {
			return problem.Invalid("invalid request, validation error: src and dest must not be empty")
		}
	}
	for _, m := range body {
		src, err := s.path(m.Src)
		if err != nil {
			return err
		}
		dest, err := s.path(m.Dest)
		if err != nil {
			return err
		}
		if err := files.Move(src, dest); err != nil {
			return fileError("moving", m.Src, err)
		}
	}
	return empty(w)
}

type replacement struct {
	Old string `json:"old"`
	New string `json:"new"`
}

type replaced struct {
	Count int `json:"replacedCount"`
}

// maxReplace bounds the body of replacements in bytes: clients send whole passages of files.
const maxReplace = 16 << 20

// replaceInFiles is POST /files/replace[?verbose=true], a map of path to replacement.
func (s *Server) replaceInFiles(w http.ResponseWriter, r *http.Request, _ []string) error {
	var body map[string]replacement
	if err := decodeUpTo(w, r, maxReplace, &body); err != nil {
		return err
	}
	for path, change := range body {
		if change.Old == "" {
			return problem.Invalid("invalid request, validation error: old must not be empty for %s", path)
		}
	}
	out := map[string]replaced{}
	for _, requested := range slices.Sorted(maps.Keys(body)) {
		path, err := s.path(requested)
		if err != nil {
			return err
		}
		count, err := files.Replace(path, []byte(body[requested].Old), []byte(body[requested].New), links(r))
		if errors.Is(err, files.ErrLink) {
			return problem.Invalid("%s is a symbolic link; ask with follow=true to edit what it points to", requested).Because(err)
		}
		if err != nil {
			return fileError("replacing in", requested, err)
		}
		out[requested] = replaced{count}
	}
	if r.URL.Query().Get("verbose") == "true" {
		return writeJSON(w, out)
	}
	return empty(w)
}
