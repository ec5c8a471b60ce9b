package ingress_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/upstream"
)

const coreVariable = "OPENSANDBOX_TEST_PROXY_CORE"

// core is the one that the edges of this process proxy with.
var core = upstream.Core(os.Getenv(coreVariable))

// TestEverythingOverNetHTTP runs all tests of this package once more with the other
// core: there is one suite, and both cores pass it.
func TestEverythingOverNetHTTP(t *testing.T) {
	if core != "" {
		t.Skip("this is the second run")
	}
	t.Parallel()
	c := exec.Command(os.Args[0], "-test.timeout=20m", "-test.skip=^Fuzz")
	c.Env = append(os.Environ(), coreVariable+"="+string(upstream.NetHTTP))
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
