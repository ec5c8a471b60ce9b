package api

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

// maxBody bounds request bodies of API routes, in bytes.
const maxBody = 1 << 20

// content classifies a request's Content-Type.
type content uint8

const (
	untyped content = iota
	jsonType
	otherType
)

func contentOf(r *http.Request) content {
	values := r.Header.Values("Content-Type")
	switch {
	case len(values) == 0 || len(values) == 1 && strings.TrimSpace(values[0]) == "":
		return untyped
	case len(values) > 1:
		return otherType
	}
	media, _, err := mime.ParseMediaType(values[0])
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return otherType
	}
	sub, isApplication := strings.CutPrefix(media, "application/")
	if isApplication && (sub == "json" || strings.HasSuffix(sub, "+json")) {
		return jsonType
	}
	return otherType
}

// checkType refuses bodies that a web page could send without asking first. A page
// may post text, forms or an untyped Blob to any origin, but not JSON; so when the
// request comes from a browser, or when no key protects the API, a body has to say
// that it is JSON, on routes that ignore their body too (threat W2).
func (h *Handler) checkType(r *http.Request) error {
	if r.ContentLength == 0 || contentOf(r) == jsonType {
		return nil
	}
	if h.options.RequireJSONType || fromBrowser(r) {
		return wrongType()
	}
	return nil
}

func fromBrowser(r *http.Request) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}

func wrongType() error {
	return decode.Invalid(decode.Loc{"header", "Content-Type"}, "content_type", "must be application/json")
}

// body reads and parses the JSON body of a request. A missing Content-Type counts as JSON.
func (h *Handler) body(w http.ResponseWriter, r *request) (*decode.Value, error) {
	value, err := h.optionalBody(w, r)
	if err == nil && value == nil {
		err = decode.InvalidBody(decode.ErrEmpty)
	}
	return value, err
}

// optionalBody is body for routes that work without one; nil means there is none.
func (h *Handler) optionalBody(w http.ResponseWriter, r *request) (*decode.Value, error) {
	raw, err := h.read(w, r)
	if err != nil {
		return nil, err
	}
	value, err := decode.Parse(raw, decode.Limits{})
	switch {
	case errors.Is(err, decode.ErrEmpty):
		return nil, nil
	case err != nil:
		return nil, decode.InvalidBody(err)
	}
	return value, nil
}

// read reads the body of a request, which may be empty.
func (h *Handler) read(w http.ResponseWriter, r *request) ([]byte, error) {
	if contentOf(r.Request) == otherType {
		return nil, wrongType()
	}
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge()
	case err != nil:
		return nil, apierror.New(http.StatusBadRequest, apierror.Unknown,
			"The request body could not be read to its end.").Because(err)
	}
	return raw, nil
}

func tooLarge() error {
	return apierror.New(http.StatusRequestEntityTooLarge, "GENERAL::PAYLOAD_TOO_LARGE",
		"The request body is larger than the %d bytes this server accepts.", maxBody)
}

// note logs members that were ignored, by name: their values may be secrets.
func (h *Handler) note(w http.ResponseWriter, r *request, p *decode.Problems) {
	if unknown := p.Unknown(); len(unknown) > 0 {
		h.log.LogAttrs(r.Context(), slog.LevelWarn, "request members that this server does not know were ignored",
			requestID(w), slog.Any("members", unknown))
	}
}
