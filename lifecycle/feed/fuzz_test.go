package feed

import (
	"encoding/json"
	"testing"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/reach"
	"github.com/opensandbox-edge/edge/secret"
)

// FuzzLines: whatever a peer says, nothing panics, and nothing gets into the directory
// that no route may reach or whose access check could not be read.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"kind":"snapshot","version":1,"runtime":"docker"}`), []byte(`{"kind":"entry","entry":{"id":"a","state":"Running","address":"10.0.0.1"}}`))
	f.Add([]byte(`{"kind":"gone","id":"a"}`), []byte(`{"kind":"synced"}`))
	f.Add([]byte(`{"kind":"beat","deaf":true}`), []byte(`{"kind":"entry","entry":{"id":"a","published":{"80":"[::1]:80"},"execd_token_sha256":"00"}}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c, err := NewClient(ClientOptions{URL: "http://10.0.0.2", Key: secret.New("k")})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sync := &resync{client: c}
		_ = sync.take(&line{Kind: kindSnapshot, Version: version, Runtime: "docker"})
		for _, text := range [][]byte{first, second} {
			var l line
			if json.Unmarshal(text, &l) != nil {
				continue
			}
			if sync.take(&l) != nil {
				break
			}
			if l.Entry == nil {
				continue
			}
			if e, ok := c.directory.Lookup(l.Entry.ID); ok && l.Kind == kindEntry {
				check(t, e, l.Entry)
			}
		}
	})
}

func check(t *testing.T, e *lifecycle.Entry, said *entry) {
	t.Helper()
	if (said.ExecdSum != "") != (e.ExecdTokenSum != nil) || (said.SecureSum != "") != (e.SecureSum != nil) {
		t.Fatalf("an access check was lost: %+v", said)
	}
	for port := range uint16(100) {
		if to, ok := e.Dial(port); ok && (!reach.Address(to.Addr()) || to.Addr().Unmap().IsLoopback() || to.Port() == 0) {
			t.Fatalf("%s can be dialled", to)
		}
	}
	again, err := encode(e).decode()
	if err != nil || again.BackendID != e.BackendID || again.Address != e.Address || again.State != e.State {
		t.Fatalf("what was taken cannot be passed on: %v", err)
	}
}
