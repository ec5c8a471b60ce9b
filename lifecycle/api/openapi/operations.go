package openapi

var (
	pageQuery = []Parameter{
		{"page", "Page to return, from 1.", object{"type": "integer", "minimum": 1, "default": 1}},
		{"pageSize", "Items per page.", object{"type": "integer", "minimum": 1, "maximum": 200, "default": 20}},
	}
	tailQuery = Parameter{"tail", "Log lines to return.", object{"type": "integer", "minimum": 1, "maximum": 10000}}
	eventsMax = object{"type": "integer", "minimum": 1, "maximum": 500}
)

const one = "/sandboxes/{sandboxId}"

var sandboxes = []Operation{
	{
		Method: "POST", Path: "/sandboxes", ID: "createSandbox", Tag: "Sandboxes", Summary: "Create a sandbox",
		Description: "Answers once the sandbox is usable. With Prefer: respond-async it answers at once with a sandbox that is Pending: its endpoints resolve, requests into it wait, and its status tells how it goes on.",
		Headers: []Parameter{
			{"Prefer", "respond-async: answer before the sandbox is usable.", object{"type": "string"}},
			{"Idempotency-Key", "A text of your choice, such as a UUID. A request that comes again with the same key and body gives the same sandbox; with another body it is refused. Keys are remembered for 24 hours.", object{"type": "string", "minLength": 1, "maxLength": 255}},
		},
		Body: "CreateSandboxRequest", Success: 202, Answer: "CreateSandboxResponse", Errors: []int{400, 404, 409, 413, 422},
	},
	{
		Method: "GET", Path: "/sandboxes", ID: "listSandboxes", Tag: "Sandboxes", Summary: "List sandboxes",
		Description: "Newest first; filters apply before paging.",
		Query: append([]Parameter{
			{"state", "Keep sandboxes in one of these states, whatever their case.", object{"type": "array", "items": object{"type": "string"}}},
			{"metadata", "Keep sandboxes with this metadata: k=v pairs joined by &, encoded as one value.", object{"type": "string"}},
		}, pageQuery...),
		Success: 200, Answer: "SandboxList", Errors: []int{400, 422},
	},
	{
		Method: "GET", Path: one, ID: "getSandbox", Tag: "Sandboxes", Summary: "Get a sandbox",
		Success: 200, Answer: "Sandbox", Errors: []int{404},
	},
	{
		Method: "DELETE", Path: one, ID: "deleteSandbox", Tag: "Sandboxes", Summary: "Delete a sandbox",
		Description: "Works in every state. A second delete answers 404.", Success: 204, Errors: []int{404},
	},
	{
		Method: "PATCH", Path: one + "/metadata", ID: "patchMetadata", Tag: "Sandboxes", Summary: "Change metadata",
		Description: "Merge patch (RFC 7396): null deletes a key, a string sets it, absent keys stay.",
		Body:        "MetadataPatch", Patch: true, Success: 200, Answer: "Sandbox", Errors: []int{400, 404, 413, 422},
	},
	{
		Method: "POST", Path: one + "/pause", ID: "pauseSandbox", Tag: "Sandboxes", Summary: "Pause a sandbox",
		Description: "Its time to live keeps running.", Success: 202, Errors: []int{404, 409},
	},
	{
		Method: "POST", Path: one + "/resume", ID: "resumeSandbox", Tag: "Sandboxes", Summary: "Resume a paused sandbox",
		Success: 202, Errors: []int{404, 409},
	},
	{
		Method: "POST", Path: one + "/renew-expiration", ID: "renewSandbox", Tag: "Sandboxes", Summary: "Move the expiry",
		Description: "To any future moment, also an earlier one than the current expiry.",
		Body:        "RenewRequest", Success: 200, Answer: "RenewResponse", Errors: []int{400, 404, 409, 413, 422},
	},
	{
		Method: "GET", Path: one + "/endpoints/{port}", ID: "getEndpoint", Tag: "Sandboxes", Summary: "Learn how to reach a port",
		Description: "The answer has no scheme. Send its headers with every request to it.",
		Query: []Parameter{
			{"use_server_proxy", "Go through this server's own address.", object{"type": "boolean", "default": false}},
			{"expires", "Unix seconds until which the route is valid without further credentials. The answer is then a signed route; needs a gateway with signing keys, and cannot be combined with use_server_proxy.", object{"type": "integer"}},
		},
		Success: 200, Answer: "Endpoint", Errors: []int{400, 404, 422},
	},
}

var snapshots = []Operation{
	{
		Method: "POST", Path: one + "/snapshots", ID: "createSnapshot", Tag: "Snapshots", Summary: "Snapshot a running sandbox",
		Body: "CreateSnapshotRequest", Optional: true, Success: 202, Answer: "Snapshot", Errors: []int{404, 409, 413, 422, 501},
	},
	{
		Method: "GET", Path: "/snapshots", ID: "listSnapshots", Tag: "Snapshots", Summary: "List snapshots",
		Query: append([]Parameter{
			{"sandboxId", "Keep snapshots of this sandbox.", object{"type": "string"}},
			{"name", "Keep snapshots of exactly this name.", object{"type": "string"}},
			{"state", "Keep snapshots in one of these states.", object{"type": "array", "items": object{"type": "string"}}},
		}, pageQuery...),
		Success: 200, Answer: "SnapshotList", Errors: []int{422, 501},
	},
	{
		Method: "GET", Path: "/snapshots/{snapshotId}", ID: "getSnapshot", Tag: "Snapshots", Summary: "Get a snapshot",
		Success: 200, Answer: "Snapshot", Errors: []int{404, 501},
	},
	{
		Method: "DELETE", Path: "/snapshots/{snapshotId}", ID: "deleteSnapshot", Tag: "Snapshots", Summary: "Delete a snapshot",
		Success: 204, Errors: []int{404, 409, 501},
	},
}

const scoped = "With a scope the answer is a JSON descriptor, without one it is plain text (deprecated)."

func scope(known string) Parameter {
	return Parameter{"scope", "What to collect: " + known, object{"type": "string"}}
}

var diagnostics = []Operation{
	{
		Method: "GET", Path: one + "/diagnostics/logs", ID: "getLogs", Tag: "Diagnostics", Summary: "Collect logs",
		Description: scoped,
		Query:       []Parameter{scope("container or all."), tailQuery, {"since", "Only lines that are younger: 30s, 10m, 2h or 1d.", object{"type": "string"}}},
		Success:     200, Answer: "Diagnostics", Plain: true, Errors: []int{400, 404, 422, 501},
	},
	{
		Method: "GET", Path: one + "/diagnostics/events", ID: "getEvents", Tag: "Diagnostics", Summary: "Collect events",
		Description: scoped,
		Query:       []Parameter{scope("runtime, lifecycle or all."), {"limit", "Events to return.", eventsMax}},
		Success:     200, Answer: "Diagnostics", Plain: true, Errors: []int{400, 404, 422, 501},
	},
	{
		Method: "GET", Path: one + "/diagnostics/inspect", ID: "inspectSandbox", Tag: "Diagnostics", Summary: "Inspect the backend object",
		Success: 200, Answer: "text/plain", Errors: []int{404, 501},
	},
	{
		Method: "GET", Path: one + "/diagnostics/summary", ID: "getSummary", Tag: "Diagnostics", Summary: "Collect everything",
		Query:   []Parameter{tailQuery, {"event_limit", "Events to return.", eventsMax}},
		Success: 200, Answer: "text/plain", Errors: []int{404, 422, 501},
	},
}

var pools = []Operation{
	{
		Method: "POST", Path: "/pools", ID: "createPool", Tag: "Pools", Summary: "Create a pool",
		Body: "CreatePoolRequest", Success: 201, Answer: "Pool", Errors: []int{400, 409, 413, 422, 501},
	},
	{
		Method: "GET", Path: "/pools", ID: "listPools", Tag: "Pools", Summary: "List pools",
		Success: 200, Answer: "PoolList", Errors: []int{501},
	},
	{
		Method: "GET", Path: "/pools/{poolName}", ID: "getPool", Tag: "Pools", Summary: "Get a pool",
		Success: 200, Answer: "Pool", Errors: []int{404, 501},
	},
	{
		Method: "PUT", Path: "/pools/{poolName}", ID: "updatePool", Tag: "Pools", Summary: "Resize a pool",
		Body: "UpdatePoolRequest", Success: 200, Answer: "Pool", Errors: []int{400, 404, 413, 422, 501},
	},
	{
		Method: "DELETE", Path: "/pools/{poolName}", ID: "deletePool", Tag: "Pools", Summary: "Delete a pool",
		Success: 204, Errors: []int{404, 501},
	},
}

var service = []Operation{
	{
		Method: "GET", Path: "/health", ID: "health", Tag: "Service", Summary: "Is the server alive?",
		Success: 200, Answer: "Health", Public: true,
	},
	{
		Method: "GET", Path: "/health/ready", ID: "ready", Tag: "Service", Summary: "Can the server work on sandboxes?",
		Success: 200, Answer: "Readiness", Errors: []int{503}, Root: true,
	},
	{
		Method: "GET", Path: "/openapi.json", ID: "openapi", Tag: "Service", Summary: "This document",
		Success: 200, Answer: "Document", Public: true,
	},
	{
		Method: "GET", Path: "/docs", ID: "docs", Tag: "Service", Summary: "This document as Swagger UI",
		Success: 200, Answer: "text/html", Public: true,
	},
	{
		Method: "GET", Path: "/redoc", ID: "redoc", Tag: "Service", Summary: "This document as ReDoc",
		Success: 200, Answer: "text/html", Public: true,
	},
}
