// Package examine reads diagnostics from what the engine says about one container: pure
// functions of an inspection or of a log stream. Values of environment variables and of
// labels that carry secrets are not read at all; other texts are passed on as they are.
package examine
