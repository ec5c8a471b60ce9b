package porttest_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/porttest"
)

func TestAReservedPortRefusesUntilSomebodyListens(t *testing.T) {
	address := porttest.Reserve(t).String()
	for range 2 { // also after a listener has gone
		_, err := net.Dial("tcp", address)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		ln, err := net.Listen("tcp", address)
		require.NoError(t, err)
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.NoError(t, ln.Close())
	}
}
