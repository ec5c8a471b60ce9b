package porttest_test

import (
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/porttest"
)

func TestAReservedPortRefusesUntilSomebodyListens(t *testing.T) {
	reserved := porttest.Reserve(t)
	address := reserved.String()
	for _, on := range []string{address, fmt.Sprintf("0.0.0.0:%d", reserved.Port()), address} { // also after a listener has gone
		_, err := net.Dial("tcp", address)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		ln, err := net.Listen("tcp4", on)
		require.NoError(t, err)
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.NoError(t, ln.Close())
	}
}
