// Package docker is the lifecycle.Runtime on Docker Engine (contract 02): it turns
// a Spec into a container, finds, pauses, resumes and removes it, and reports what
// the engine says about it. It is the only package that imports the engine's client.
//
// A create on the usual path is three engine calls: create, start, inspect. execd
// and its bootstrap reach the sandbox through one read-only volume shared by all
// sandboxes, filled once from the execd image; nothing is uploaded per sandbox.
//
// The package keeps no state of a sandbox: the engine and the store do. It knows
// neither HTTP routes nor expiry timers, and it treats every label, image and error
// text the engine returns as untrusted.
package docker
