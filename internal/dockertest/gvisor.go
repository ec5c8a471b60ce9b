package dockertest

import (
	"os"
	"strings"
	"testing"
)

// GVisor runs an engine that has these images of the machine's engine, and gVisor as the
// OCI runtime "runsc": the program that EDGE_RUNSC names. The test is skipped without
// one, and where gVisor does not run the first of the images, which has to have a "true".
func GVisor(t testing.TB, images ...string) *Engine {
	t.Helper()
	runsc := os.Getenv("EDGE_RUNSC")
	if runsc == "" {
		t.Skip("SKIPPED: gVisor: EDGE_RUNSC does not name a runsc; tools/gvisor/build builds one from the Go module proxy")
	}
	// Without an overlay of its own: what a sandbox writes is then the engine's to commit.
	e := Start(t, map[string]Runtime{"runsc": {Path: runsc, Args: []string{"--platform=systrap", "--overlay2=none"}}})
	e.Load(images...)
	if out, err := e.Docker("run", "--rm", "--runtime=runsc", "--entrypoint=true", images[0]); err != nil {
		t.Skipf("SKIPPED: gVisor does not run on this machine: %s", strings.ReplaceAll(strings.TrimSpace(out), "\n", " "))
	}
	return e
}
