package renew_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
)

func TestRules(t *testing.T) {
	const minute = time.Minute
	for name, c := range map[string]struct {
		rules               renew.Rules
		extend, idle        time.Duration
		interval            time.Duration
		unseen, unseenQueue time.Duration
	}{
		"nothing":             {renew.Rules{Enabled: true, MinInterval: minute}, 0, 0, 0, 0, minute},
		"renewal":             {renew.Rules{Enabled: true, MinInterval: minute}, 600 * time.Second, 0, minute, 2 * minute, 2 * minute},
		"renewal is off":      {renew.Rules{MinInterval: minute}, 600 * time.Second, 0, 0, 0, minute},
		"idle":                {renew.Rules{MinInterval: minute}, 0, minute, 3 * time.Second, 6 * time.Second, 63 * time.Second},
		"idle for long":       {renew.Rules{MinInterval: minute}, 0, time.Hour, minute, 2 * minute, 2 * minute},
		"both":                {renew.Rules{Enabled: true, MinInterval: minute}, 600 * time.Second, minute, 3 * time.Second, 6 * time.Second, 63 * time.Second},
		"a throttle of hours": {renew.Rules{Enabled: true, MinInterval: 10 * time.Hour}, 0, minute, 3 * time.Second, 6 * time.Second, 10*time.Hour + 3*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			e := &lifecycle.Entry{RenewExtend: c.extend, IdleTimeout: c.idle}
			require.Equal(t, c.interval, c.rules.Interval(e))
			require.Equal(t, c.unseen, c.rules.Unseen(e, renew.Proxy))
			require.Equal(t, c.unseenQueue, c.rules.Unseen(e, renew.Queue))
		})
	}
}

// Used at every moment, a sandbox with an idle timeout is never late for its deadline,
// also when every second note of it is lost; unused it goes within a tenth of the timeout.
func TestIdleDeadlinesMeetTheThrottle(t *testing.T) {
	for _, idle := range []time.Duration{minute(1), minute(2), minute(61), 24 * time.Hour} {
		rules := renew.Rules{MinInterval: time.Minute}
		e := &lifecycle.Entry{IdleTimeout: idle}
		interval, unseen := rules.Interval(e), rules.Unseen(e, renew.Proxy)
		require.LessOrEqual(t, 2*interval, unseen)
		require.LessOrEqual(t, unseen, idle/10)
	}
}

func minute(n int) time.Duration { return time.Duration(n) * time.Minute }
