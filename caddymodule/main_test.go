package caddymodule

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Caddy and its dependencies start these once per process and never end them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*Cache).maintainAssets"),
		// Sees some seconds late that its lock was released.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
	)
}

// Tests wait for a condition this long, and look this often.
const (
	wait = time.Minute
	tick = 5 * time.Millisecond
)
