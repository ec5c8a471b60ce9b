// Package hardening is what confines every sandbox on a Docker Engine: capabilities,
// security profiles, the OCI runtime, and bounds on processes, logs and file systems
// (contract 02 §6, §15 and §21 row 39). An operator's wish is checked when the server
// starts: against its own grammar by New, and against what the engine can do by Check.
// Apply writes it into a container's HostConfig.
//
// It makes no engine call of its own.
package hardening
