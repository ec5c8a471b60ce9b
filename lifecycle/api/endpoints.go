package api

import (
	"maps"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

// noProxy answers what has the shape of a proxy route and is none: its port is no number,
// or no sandbox can have its id (contract 01 §11.1).
func (h *Handler) noProxy(_ http.ResponseWriter, r *request) error {
	port, isInt := decode.ParseInt(r.params["port"])
	if !isInt {
		var problems decode.Problems
		problems.Add(decode.Loc{"path", "port"}, "int_parsing", "must be an integer")
		return problems.Err()
	}
	if port < 1 || port > 65535 {
		return errPort()
	}
	if id := r.params["sandboxId"]; !wire.ValidID(id) {
		return h.service.NotFound(id)
	}
	return notFound()
}

func errPort() error {
	return apierror.New(http.StatusBadRequest, "DOCKER::INVALID_PORT", "The port must be between 1 and 65535.")
}

// endpointOf answers GET /sandboxes/{id}/endpoints/{port} from memory (contract 01
// §10, 04 §4). The port need not listen, and the sandbox need not run.
func (h *Handler) endpointOf(w http.ResponseWriter, r *request) error {
	var problems decode.Problems
	port, isInt := decode.ParseInt(r.params["port"])
	if !isInt {
		problems.Add(decode.Loc{"path", "port"}, "int_parsing", "must be an integer")
	}
	viaServer := r.truth(&problems, "use_server_proxy")
	expires, signed := r.last("expires")
	if _, ok := decode.ParseInt(expires); signed && !ok {
		problems.Add(decode.Loc{"query", "expires"}, "int_parsing", "must be Unix seconds")
	}
	if err := problems.Err(); err != nil {
		return err
	}
	switch {
	case viaServer && signed:
		return apierror.New(http.StatusBadRequest, decode.Code,
			"use_server_proxy cannot be combined with expires: leave one of them out.")
	case signed:
		return apierror.New(http.StatusBadRequest, "SANDBOX::API_NOT_SUPPORTED",
			"This server does not hand out signed routes: leave expires out.")
	case port < 1 || port > 65535:
		return errPort()
	}
	id := r.params["sandboxId"]
	entry, found := h.service.Directory().Lookup(id)
	if !found {
		return h.service.NotFound(id)
	}
	base, err := h.options.Addresses.Base(r.host)
	if err != nil {
		return err
	}
	target := address.Target{
		SandboxID: entry.ID,
		Port:      uint16(port),
		Base:      base,
		Prefix:    r.prefix,
		Published: entry.Published,
	}
	if viaServer {
		target.Via = address.ViaServer
	}
	resolved, err := h.options.Addresses.Resolve(target)
	if err != nil {
		return err
	}
	headers := maps.Clone(resolved.Headers)
	if token := h.service.ExecdToken(entry.ID); resolved.ToExecd && !token.IsZero() {
		if headers == nil {
			headers = map[string]string{}
		}
		// This answer is how the client learns the token; it is never stored or logged.
		headers[wire.DisplayExecdToken] = token.Reveal()
	}
	return writeJSON(w, http.StatusOK, wireEndpoint{Endpoint: resolved.Value, Headers: headers})
}
