// Package metrics measures the sandbox the daemon runs in (contract 06 §11): its
// own control group where there is one, so that numbers are those of the sandbox
// and its limits, and the host's /proc where there is none.
package metrics
