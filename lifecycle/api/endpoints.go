package api

import (
	"maps"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
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

// throughExecd tells whether execd is dialled and the port is not: on the host's network, and
// where the engine publishes execd's port because addresses cannot be reached. Such a port
// is execd's to forward.
func throughExecd(e *lifecycle.Entry, port uint16) bool {
	_, dialled := e.Dial(port)
	_, known := e.Dial(wire.PortExecd)
	return known && !dialled
}

func errPort() error {
	return apierror.New(http.StatusBadRequest, "DOCKER::INVALID_PORT", "The port must be between 1 and 65535.")
}

// endpointOf answers GET /sandboxes/{id}/endpoints/{port} from memory (contract 01
// §10, 04 §4). The port need not listen, and the sandbox need not run.
func (h *Handler) endpointOf(w http.ResponseWriter, r *request) error {
	asked, err := h.askedEndpoint(r)
	if err != nil {
		return err
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
		Port:      asked.port,
		Base:      base,
		Prefix:    r.prefix,
		Published: entry.Published, SharesHost: entry.SharesHost,
		ThroughExecd: throughExecd(entry, asked.port),
		Secured:      entry.SecureSum != nil,
	}
	if asked.viaServer {
		target.Via = address.ViaServer
	}
	if asked.signed {
		if target.Expires, target.Signature, err = h.sign(target, asked.expires); err != nil {
			return err
		}
	}
	resolved, err := h.options.Addresses.Resolve(target)
	if err != nil {
		return err
	}
	// This answer is how the client learns the tokens; they are never stored or logged.
	headers := make(map[string]string, len(resolved.Headers)+2)
	maps.Copy(headers, resolved.Headers)
	if token := h.service.ExecdToken(entry.ID); resolved.ToExecd && !token.IsZero() {
		headers[wire.DisplayExecdToken] = token.Reveal()
	}
	if token := h.service.AccessToken(entry.ID); !asked.signed && !token.IsZero() {
		headers[wire.DisplaySecureAccess] = token.Reveal()
	}
	return writeJSON(w, http.StatusOK, wireEndpoint{Endpoint: resolved.Value, Headers: headers})
}
