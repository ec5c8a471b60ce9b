package lifecycle

import (
	"strconv"
	"strings"
	"time"
)

// The extensions by which a client says what accesses do to the life of its sandbox.
const (
	extensionRenew    = "access.renew.extend.seconds" // contract 04 §9.1
	extensionRenewMax = "access.renew.max.seconds"
	extensionIdle     = "access.idle.timeout.seconds"
)

// Bounds of the extensions, in seconds. They hold for adopted sandboxes, too.
const (
	MinRenewSeconds    = 300
	MaxRenewSeconds    = 86400
	MinRenewMaxSeconds = 60
	MaxRenewMaxSeconds = 366 * 86400
	MinIdleSeconds     = 60
	MaxIdleSeconds     = 86400
)

// accessRules are the extensions of one request.
type accessRules struct {
	value             string // of extensionRenew, trimmed
	extend, max, idle time.Duration
}

func (s *Service) checkAccess(c *checked, _ time.Time) (err error) {
	r, given := &c.access, c.request.Extensions
	if r.extend, err = seconds(given, extensionRenew, MinRenewSeconds, MaxRenewSeconds); err != nil {
		return err
	}
	r.value = strings.TrimSpace(given[extensionRenew])
	if r.max, err = seconds(given, extensionRenewMax, MinRenewMaxSeconds, MaxRenewMaxSeconds); err != nil {
		return err
	}
	r.idle, err = seconds(given, extensionIdle, MinIdleSeconds, MaxIdleSeconds)
	return err
}

// seconds reads one extension; absent is 0.
func seconds(extensions map[string]string, key string, least, most int) (time.Duration, error) {
	raw, present := extensions[key]
	if !present {
		return 0, nil
	}
	value := strings.TrimSpace(raw)
	n, err := strconv.Atoi(value)
	if err != nil || len(value) > 8 || strings.Trim(value, "0123456789") != "" || n < least || n > most {
		// Clients match the beginning of this text (contract 04 §9.1).
		return 0, invalid("Invalid extensions[%q]: must be a whole number of seconds from %d to %d.", key, least, most)
	}
	return time.Duration(n) * time.Second, nil
}

// deadline is when the sandbox is removed: at its expiry, or before it when nobody uses
// it; zero = never.
func (r Record) deadline() time.Time {
	if r.ExpiresAt.IsZero() || !r.IdleUntil.IsZero() && r.IdleUntil.Before(r.ExpiresAt) {
		return r.IdleUntil
	}
	return r.ExpiresAt
}

// idleUntil is IdleUntil after an access at the given time, of which nobody may hear
// when others follow within unseen. It never shortens. What bounds the life that accesses
// give bounds this too where there is no expiry to be bounded.
func (r Record) idleUntil(at time.Time, unseen time.Duration) time.Time {
	if r.IdleTimeout <= 0 {
		return time.Time{}
	}
	until := stamp(at.Add(r.IdleTimeout + unseen))
	if r.ExpiresAt.IsZero() && r.RenewMax > 0 {
		until = earlier(until, r.CreatedAt.Add(r.RenewMax))
	}
	return later(until, r.IdleUntil)
}

// extended is ExpiresAt after an access at the given time (contract 04 §9.5). most bounds
// the life from the creation, as RenewMax does; 0 = no bound. It never shortens.
func (r Record) extended(at time.Time, most time.Duration) time.Time {
	if r.ExpiresAt.IsZero() || r.RenewExtend <= 0 {
		return r.ExpiresAt
	}
	until := stamp(at.Add(r.RenewExtend))
	for _, life := range []time.Duration{most, r.RenewMax} {
		if life > 0 {
			until = earlier(until, r.CreatedAt.Add(life))
		}
	}
	return later(until, r.ExpiresAt)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
