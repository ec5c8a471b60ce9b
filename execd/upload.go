package execd

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/files"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// maxPairs bounds the files of one upload.
const maxPairs = 10_000

// upload is POST /files/upload (contract 06 §9.2). Files are streamed beside
// their targets as they arrive and put in place only when the whole form was
// received, so that a connection that breaks changes nothing.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, _ []string) error {
	form := incoming{server: s, links: links(r)}
	defer form.discard()
	err := form.read(r)
	if err == nil {
		err = form.commit()
	}
	if err != nil {
		// A client that is still sending hears the answer only if somebody listens.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.CopyN(io.Discard, r.Body, 64<<20)
		return err
	}
	return empty(w)
}

// incoming is an upload under way. The i-th metadata part belongs to the i-th file part.
type incoming struct {
	server   *Server
	links    files.Links
	metadata []files.Metadata
	content  []content
}

// content is one file part: on its way to its target, or, if it came before its
// metadata, parked in a file without a name.
type content struct {
	staged *files.Staged
	parked *os.File
}

func (in *incoming) read(r *http.Request) error {
	invalid := func(err error) error {
		return apierror.New(http.StatusBadRequest, problem.InvalidFile, "the multipart form cannot be read: %s", err).Because(err)
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return invalid(err)
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return in.check()
		}
		if err != nil {
			return invalid(err)
		}
		switch part.FormName() {
		case "metadata":
			err = in.addMetadata(part)
		case "file":
			if hasFileName(part) { // a plain field of that name is not a file
				err = in.addFile(part)
			}
		}
		var known *apierror.Error
		if err != nil && !errors.As(err, &known) {
			err = invalid(err)
		}
		if err != nil {
			return err
		}
	}
}

// hasFileName reports whether the part says it is a file. An empty name counts.
func hasFileName(part *multipart.Part) bool {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	_, ok := params["filename"]
	return err == nil && ok
}

func (in *incoming) addMetadata(part io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(part, files.MaxMetadata+1))
	if err != nil {
		return err
	}
	m, err := files.ParseMetadata(data)
	if err == nil {
		m.Path, err = in.server.path(m.Path)
	}
	if err == nil && (len(data) > files.MaxMetadata || len(in.metadata) == maxPairs) {
		err = errors.New("too much of it")
	}
	if err != nil {
		return apierror.New(http.StatusBadRequest, problem.InvalidFileMetadata, "invalid metadata of file %d", len(in.metadata)+1).Because(err)
	}
	in.metadata = append(in.metadata, m)
	return nil
}

func (in *incoming) addFile(part io.Reader) error {
	i := len(in.content)
	if i >= maxPairs {
		return apierror.New(http.StatusBadRequest, problem.InvalidFile, "an upload may hold %d files at most", maxPairs)
	}
	if i >= len(in.metadata) {
		parked, err := os.CreateTemp(in.server.options.Process["TMPDIR"], ".execd-parked-*")
		if err != nil {
			return problem.Runtime("receiving a file", err)
		}
		_ = os.Remove(parked.Name())
		in.content = append(in.content, content{parked: parked})
		return receive(parked, part, "")
	}
	return in.stage(part)
}

// stage writes the next file beside its target.
func (in *incoming) stage(from io.Reader) error {
	path := in.metadata[len(in.content)].Path
	staged, err := files.Stage(path, in.links)
	if err != nil {
		return fileError("uploading to", path, err)
	}
	in.content = append(in.content, content{staged: staged})
	if err := receive(staged, from, path); err != nil {
		return err
	}
	if err := staged.Pause(); err != nil {
		return problem.Runtime("uploading to "+path, err)
	}
	return nil
}

// receive copies and tells apart whose fault a failure is: what cannot be read is
// the form's, what cannot be written is a 500.
func receive(to io.Writer, from io.Reader, path string) error {
	tracked := &writeFailure{Writer: to}
	_, err := io.Copy(tracked, from)
	if tracked.err != nil {
		return problem.Runtime("uploading to "+path, tracked.err)
	}
	return err
}

type writeFailure struct {
	io.Writer
	err error
}

func (w *writeFailure) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// check is the order of complaints about a form that could be read.
func (in *incoming) check() error {
	switch {
	case len(in.metadata) == 0:
		return apierror.New(http.StatusBadRequest, problem.InvalidFileMetadata, "the form has no metadata part")
	case len(in.content) == 0:
		return apierror.New(http.StatusBadRequest, problem.InvalidFileContent, "the form has no file part")
	case len(in.metadata) != len(in.content):
		return apierror.New(http.StatusBadRequest, problem.InvalidFile,
			"the form has %d metadata parts for %d files", len(in.metadata), len(in.content))
	}
	return nil
}

// commit puts the files in place, in order; it stops at the first failure.
func (in *incoming) commit() error {
	received := in.content
	in.content = make([]content, 0, len(received))
	for i, c := range received {
		if c.parked == nil {
			in.content = append(in.content, c)
			continue
		}
		_, err := c.parked.Seek(0, io.SeekStart)
		if err == nil {
			err = in.stage(c.parked)
		}
		_ = c.parked.Close()
		if err != nil {
			in.content = append(in.content, received[i+1:]...)
			return fileError("uploading to", in.metadata[i].Path, err)
		}
	}
	for i, c := range in.content {
		if err := c.staged.Commit(in.metadata[i].Permission); err != nil {
			return fileError("uploading to", in.metadata[i].Path, err)
		}
	}
	return nil
}

func (in *incoming) discard() {
	for _, c := range in.content {
		if c.staged != nil {
			c.staged.Discard()
		}
		if c.parked != nil {
			_ = c.parked.Close()
		}
	}
}
