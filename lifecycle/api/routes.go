package api

import "net/http"

// endpoints is the route table: everything this handler serves (contract 01 §1).
func (h *Handler) endpoints() ([]endpoint, error) {
	const sandbox = "/sandboxes/{sandboxId}"
	rows := []endpoint{
		{http.MethodPost, "/sandboxes", needsKey, h.create},
		{http.MethodGet, "/sandboxes", needsKey, h.list},
		{http.MethodGet, sandbox, needsKey, h.get},
		{http.MethodDelete, sandbox, needsKey, h.delete},
		{http.MethodPatch, sandbox + "/metadata", needsKey, h.patchMetadata},
		{http.MethodPost, sandbox + "/pause", needsKey, h.pause},
		{http.MethodPost, sandbox + "/resume", needsKey, h.resume},
		{http.MethodPost, sandbox + "/renew-expiration", needsKey, h.renew},
		{http.MethodGet, sandbox + "/endpoints/{port}", needsKey, h.endpointOf},

		{anyMethod, sandbox + "/proxy/{port}/" + anyRest, needsKey, h.noProxy},

		{http.MethodPost, sandbox + "/snapshots", needsKey, h.createSnapshot},
		{http.MethodGet, "/snapshots", needsKey, h.listSnapshots},
		{http.MethodGet, "/snapshots/{snapshotId}", needsKey, h.getSnapshot},
		{http.MethodDelete, "/snapshots/{snapshotId}", needsKey, h.deleteSnapshot},
		{http.MethodGet, sandbox + "/diagnostics/logs", needsKey, h.diagnosticLogs},
		{http.MethodGet, sandbox + "/diagnostics/events", needsKey, h.diagnosticEvents},
		{http.MethodGet, sandbox + "/diagnostics/inspect", needsKey, h.diagnosticInspect},
		{http.MethodGet, sandbox + "/diagnostics/summary", needsKey, h.diagnosticSummary},
		{http.MethodPost, "/pools", needsKey, h.createPool},
		{http.MethodGet, "/pools", needsKey, h.listPools},
		{http.MethodGet, "/pools/{poolName}", needsKey, h.getPool},
		{http.MethodPut, "/pools/{poolName}", needsKey, h.updatePool},
		{http.MethodDelete, "/pools/{poolName}", needsKey, h.deletePool},
	}
	rows = append(rows, h.probes()...)
	if h.options.Docs == DocsOff {
		return rows, nil
	}
	pages, err := documents()
	return append(rows, pages...), err
}
