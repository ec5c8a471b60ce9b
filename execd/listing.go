package execd

import (
	"bufio"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/opensandbox-edge/edge/execd/files"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// infoList writes a JSON array as its elements are found: a tree can hold more
// than fits into memory. The status is committed with the first element.
type infoList struct {
	w     http.ResponseWriter
	out   *bufio.Writer
	count int
}

func newInfoList(w http.ResponseWriter) *infoList {
	return &infoList{w: w, out: bufio.NewWriterSize(w, 64<<10)}
}

func (l *infoList) add(info files.Info) error {
	element, err := json.Marshal(info)
	if err != nil {
		return err
	}
	l.open()
	if l.count++; l.count > 1 {
		_ = l.out.WriteByte(',')
	}
	_, err = l.out.Write(element)
	return err
}

func (l *infoList) open() {
	if l.count == 0 {
		l.w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = l.out.WriteByte('[')
	}
}

// end closes the array, or reports err if nothing has been sent yet. An answer
// that broke off is cut, so that it cannot be taken for a whole one.
func (l *infoList) end(err error) error {
	if err == nil {
		l.open()
		_ = l.out.WriteByte(']')
		_ = l.out.Flush()
		return nil
	}
	if l.count > 0 {
		panic(http.ErrAbortHandler)
	}
	return err
}

// searchFiles is GET /files/search?path=&pattern= (contract 06 §9.1); limit and
// type are ours.
func (s *Server) searchFiles(w http.ResponseWriter, r *http.Request, _ []string) error {
	q := r.URL.Query()
	requested := q.Get("path")
	if requested == "" {
		return problem.Missing("path")
	}
	root, err := s.path(requested)
	if err != nil {
		return err
	}
	limit, err := count(q.Get("limit"), 0)
	if err != nil {
		return problem.Invalid("limit must be a number from 0 on")
	}
	kind := q.Get("type")
	if !slices.Contains([]string{"", files.TypeFile, files.TypeDirectory, files.TypeSymlink, files.TypeOther}, kind) {
		return problem.Invalid("type must be file, directory, symlink or other")
	}
	list := newInfoList(w)
	err = files.Search(r.Context(), files.Query{Root: root, Pattern: q.Get("pattern"), Type: kind, Limit: limit}, list.add)
	if errors.Is(err, files.ErrPattern) {
		return problem.Invalid("the pattern is not a valid glob").Because(err)
	}
	if err != nil {
		err = fileError("searching", requested, err)
	}
	return list.end(err)
}

// listDirectory is GET /directories/list?path=&depth= (contract 06 §10).
func (s *Server) listDirectory(w http.ResponseWriter, r *http.Request, _ []string) error {
	q := r.URL.Query()
	requested := q.Get("path")
	if requested == "" {
		return problem.Missing("path")
	}
	depth, err := count(q.Get("depth"), 1)
	if err != nil {
		return problem.Invalid("depth must be a number from 0 on")
	}
	root, err := s.path(requested)
	if err != nil {
		return err
	}
	list := newInfoList(w)
	if err = files.List(r.Context(), root, depth, list.add); err != nil {
		err = fileError("listing", requested, err)
	}
	return list.end(err)
}

// count reads a number that is not negative.
func count(text string, absent int) (int, error) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return n, err
}

// makeDirectories is POST /directories, a map of path to Permission.
func (s *Server) makeDirectories(w http.ResponseWriter, r *http.Request, _ []string) error {
	var body map[string]files.Permission
	if err := s.decode(w, r, &body); err != nil {
		return err
	}
	for _, requested := range slices.Sorted(maps.Keys(body)) {
		if requested == "" {
			return problem.Invalid("invalid request, validation error: a path must not be empty")
		}
		path, err := s.path(requested)
		if err == nil {
			err = files.Make(path, body[requested])
		}
		if err != nil {
			return problem.Runtime("making the directory "+requested, err)
		}
	}
	return empty(w)
}

// deleteDirectories is DELETE /directories?path=…, recursive.
func (s *Server) deleteDirectories(w http.ResponseWriter, r *http.Request, _ []string) error {
	for _, requested := range r.URL.Query()["path"] {
		if requested == "" {
			continue // would mean the working directory, which nobody asked to lose
		}
		path, err := s.path(requested)
		if err != nil {
			return err
		}
		if err := files.RemoveTree(path); errors.Is(err, files.ErrRoot) {
			return problem.Invalid("%s cannot be deleted: it is the root of the sandbox", requested).Because(err)
		} else if err != nil {
			return problem.Runtime("deleting the directory "+requested, err)
		}
	}
	return empty(w)
}
