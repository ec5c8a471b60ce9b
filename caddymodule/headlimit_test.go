package caddymodule

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A head is as large as server.max_header_bytes and the 4 KiB that net/http adds allow, on
// whichever side of the edge it arrives. The lane keeps no head larger than the least of
// these bounds: it hands larger ones back.
func TestBothSidesBoundTheHeadAlike(t *testing.T) {
	for _, most := range []int{4096, 8192} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			lastConnection(t)
			r := newRig(t)
			_, path := r.record()
			file := r.toml(testKey)
			edit(t, file, "[server]", fmt.Sprintf("[server]\nmax_header_bytes = %d", most))
			r.load(file)
			for size, want := range map[int]int{
				most: 200, most + 4000: 200, most + 4096: 200, most + 4300: 431, 20000: 431,
			} {
				for side, later := range sides {
					t.Run(fmt.Sprint(side, " ", size), func(t *testing.T) {
						conn, err := net.Dial("tcp", r.addr)
						require.NoError(t, err)
						defer conn.Close()
						if later {
							require.Equal(t, []int{200}, talk(t, conn, expand("GET PATH HTTP/1.1\r\nHost: HOST\r\n\r\n", r.addr, path), false))
						}
						head := expand("GET PATH HTTP/1.1\r\nHost: HOST\r\nX: \r\n\r\n", r.addr, path)
						head = strings.Replace(head, "X: ", "X: "+strings.Repeat("x", size-len(head)), 1)
						require.Equal(t, []int{want}, talk(t, conn, head, false))
					})
				}
			}
		})
	}
}
