package execd

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// decode reads the first JSON value of the body (contract 06 §2): unknown fields
// and what follows are ignored, the content type is not looked at.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, into any) error {
	return decodeUpTo(w, r, s.options.MaxJSON, into)
}

// decodeUpTo is decode with a bound of its own, in bytes.
func decodeUpTo(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	body := http.MaxBytesReader(w, r.Body, most)
	if err := json.NewDecoder(body).Decode(into); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return apierror.New(http.StatusRequestEntityTooLarge, problem.InvalidRequestBody,
				"The request body is larger than %d bytes.", large.Limit).Because(err)
		}
		return problem.Invalid("error parsing request, MAYBE invalid body format. %s", err).Because(err)
	}
	// The server notices that a client has left only after the whole body is read.
	_, _ = io.Copy(io.Discard, body)
	return nil
}

// writeJSON answers 200 with v.
func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
	return nil
}
