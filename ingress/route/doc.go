// Package route decides what a request is for. Classify is one pure function over
// the method, the normalised authority, the escaped path and the routing headers;
// everything else (authentication, the lifecycle API, proxying) acts on its verdict
// and never looks at the path a second time. It does no I/O and imports nothing of
// ours but apierror. Contract 04 §3 and §10.3, threat rows R1–R6.
//
// The order of decisions, first match wins:
//
//  1. The authority is read once; one that could mean two hosts is refused.
//  2. A host under the wildcard base is a sandbox and nothing else, whatever the path.
//  3. On API hosts exactly /sandboxes/{id}/proxy/{port} (also under /v1) is a proxy route.
//  4. A routing header, where header routes are on.
//  5. Public pages and API roots.
//  6. /{id}/{port}/…, where uri routes are on.
package route
