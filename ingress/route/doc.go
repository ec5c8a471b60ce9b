// Package route decides what a request is for. Classify is one pure function over
// the method, the normalised authority, the escaped path and the routing headers;
// everything else (authentication, the lifecycle API, proxying) acts on its verdict
// and never looks at the path a second time. It does no I/O and imports nothing of
// ours but apierror. Contract 04 §3 and §10.3, threat rows R1–R6.
package route
