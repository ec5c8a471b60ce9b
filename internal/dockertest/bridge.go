package dockertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
)

// addBridge makes the network of the engine's containers, in a range that no interface
// of the machine uses.
func (e *Engine) addBridge() {
	e.t.Helper()
	name := fmt.Sprintf("edget%06x", rand.N(1<<24))
	if err := e.ip("link", "add", name, "type", "bridge"); err != nil {
		e.t.Skipf("SKIPPED: no bridge for an engine can be made here: %v", err)
	}
	e.bridge = name
	for range 100 {
		gateway := netip.AddrFrom4([4]byte{10, 231, byte(rand.N(256)), 1})
		if taken(netip.PrefixFrom(gateway, 24)) {
			continue
		}
		if err := e.ip("addr", "add", gateway.String()+"/24", "dev", name); err != nil {
			e.t.Fatal(err)
		}
		if err := e.ip("link", "set", name, "up"); err != nil {
			e.t.Fatal(err)
		}
		return
	}
	e.t.Fatal("no free range in 10.231.0.0/16")
}

// taken reports whether an interface has an address in a range, or is in one that holds it.
func taken(wanted netip.Prefix) bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, address := range addresses {
		if used, err := netip.ParsePrefix(address.String()); err == nil && used.Overlaps(wanted) {
			return true
		}
	}
	return false
}

func (e *Engine) ip(args ...string) error {
	program, err := find("ip")
	if err != nil {
		return err
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
