// Package image reads image references and decides from which registries images may
// come. The text a client sent is never handed on: engines build request paths from
// references, and dial the registry they name (threat row K7).
package image
