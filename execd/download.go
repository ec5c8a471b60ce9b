package execd

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/files"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// download is GET /files/download?path= (contract 06 §9.3): the whole file, one
// range of it, or some of its lines.
func (s *Server) download(w http.ResponseWriter, r *http.Request, _ []string) error {
	q := r.URL.Query()
	requested := q.Get("path")
	if requested == "" {
		return problem.Missing("path")
	}
	path, err := s.path(requested)
	if err != nil {
		return err
	}
	byLine := q.Has("offset") || q.Has("limit")
	if byLine && r.Header.Get("Range") != "" {
		return problem.Invalid("a Range header and line numbers exclude each other")
	}
	offset, limit, err := lineNumbers(q)
	if err != nil {
		return err
	}
	f, info, err := files.Open(path)
	if err != nil {
		return fileError("reading", requested, err)
	}
	defer f.Close()
	if byLine {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := files.Lines(w, f, offset, limit); err != nil {
			panic(http.ErrAbortHandler) // the beginning is on its way: cut rather than pretend
		}
		return nil
	}
	w.Header().Set("Content-Type", "application/octet-stream") // never sniffed
	w.Header().Set("Content-Disposition", disposition(filepath.Base(path)))
	if err := oneRange(w, r, info.Size()); err != nil {
		return err
	}
	if info.Size() == 0 && r.Method == http.MethodGet {
		return unsized(w, r, f)
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

func lineNumbers(q url.Values) (offset, limit int64, err error) {
	offset = 1
	for name, to := range map[string]*int64{"offset": &offset, "limit": &limit} {
		if !q.Has(name) {
			continue
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || n < 1 {
			return 0, 0, problem.Invalid("%s must be a number from 1 on", name)
		}
		*to = n
	}
	return offset, limit, nil
}

// oneRange replaces a list of ranges by the first the file can satisfy, which is
// all this endpoint serves; the standard library does the rest, conditional
// headers included.
func oneRange(w http.ResponseWriter, r *http.Request, size int64) error {
	header := r.Header.Get("Range")
	if header == "" {
		return nil
	}
	span, err := files.ParseRange(header, size)
	if err != nil {
		w.Header().Del("Content-Disposition")
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return apierror.New(http.StatusRequestedRangeNotSatisfiable, problem.UnknownCode,
			"the range cannot be served: %s", err).Because(err)
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", span.Start, span.Start+span.Length-1))
	return nil
}

// unsized serves a file that says it is empty. Files of /proc say so and are not.
func unsized(w http.ResponseWriter, r *http.Request, f *os.File) error {
	first := make([]byte, 4096)
	n, err := f.Read(first)
	if n == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return problem.Runtime("reading "+f.Name(), err)
		}
		info, err := f.Stat()
		if err != nil {
			return problem.Runtime("reading "+f.Name(), err)
		}
		http.ServeContent(w, r, "", info.ModTime(), f)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(first[:n])
	_, _ = io.Copy(w, f)
	return nil
}

// disposition names the download. Anything but plain characters is
// percent-encoded: a file name is the sandbox's, and may try to end the header.
func disposition(name string) string {
	plain := !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r > '~' || r == '"' || r == '\\'
	})
	if plain {
		return `attachment; filename="` + name + `"`
	}
	encoded := url.PathEscape(name)
	return `attachment; filename="` + encoded + `"; filename*=UTF-8''` + encoded
}
