package intent

import (
	"encoding/json"
	"errors"
	"time"
)

// The rules about what is believed (contract 04 §9.4, threat row X6).
const (
	// MaxBytes bounds one element of the list.
	MaxBytes = 4 << 10
	// MaxAge is how long ago an access may have been.
	MaxAge = 300 * time.Second
	// MaxSkew is how far a gateway's clock may be ahead.
	MaxSkew = 60 * time.Second
)

// Errors of Decode and Fresh.
var (
	ErrMalformed = errors.New("not a renew intent")
	ErrStale     = errors.New("the access is too long ago")
	ErrFuture    = errors.New("the access is in the future")
)

// Intent is one access that a gateway saw.
type Intent struct {
	SandboxID  string
	ObservedAt time.Time
	Port       uint16 // 0 = not told
	// RequestURI is the path within the sandbox on uri routes, without query and
	// signature; "" on others.
	RequestURI string
}

// wire gives the keys their order.
type wire struct {
	SandboxID  string `json:"sandbox_id"`
	ObservedAt string `json:"observed_at"`
	Port       uint16 `json:"port,omitempty"`
	RequestURI string `json:"request_uri,omitempty"`
}

// Encode returns the element for i. Without the path it always fits MaxBytes for ids that
// routes can carry; a path that would not fit is left out.
func Encode(i Intent) ([]byte, error) {
	w := wire{SandboxID: i.SandboxID, ObservedAt: i.ObservedAt.UTC().Format(time.RFC3339Nano), Port: i.Port, RequestURI: i.RequestURI}
	encoded, err := json.Marshal(w)
	if err == nil && len(encoded) > MaxBytes && w.RequestURI != "" {
		w.RequestURI = ""
		return json.Marshal(w)
	}
	return encoded, err
}

// Fresh tells whether an access can still count.
func (i Intent) Fresh(now time.Time) error {
	switch age := now.Sub(i.ObservedAt); {
	case age > MaxAge:
		return ErrStale
	case age < -MaxSkew:
		return ErrFuture
	}
	return nil
}
