// Package secret holds the one type for credentials. A Text prints as "***"
// under every formatting verb and every encoder, so that a struct which carries
// one can be logged, wrapped into an error or shown in diagnostics as it is.
// The package imports nothing of ours.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// mask is what every encoder sees instead of the value.
const mask = "***"

// Text is a credential: an API key, a token, a signing key, a DSN with a password.
// The zero value is "no credential".
//
// The value sits behind a pointer because package fmt cannot call methods on an
// unexported field: a struct{ key Text } would otherwise print in clear.
type Text struct{ value *string }

// New wraps a clear value.
func New(clear string) Text { return Text{value: &clear} }

// Reveal returns the clear value. Every call is a place to review: the result
// may go to the peer that must know it and nowhere else.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether there is no credential.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// Equal compares in time that depends on neither value nor length of t.
// Two empty credentials are not equal: "no key" never opens anything.
func (t Text) Equal(candidate string) bool {
	return SumEqual(sha256.Sum256([]byte(t.Reveal())), candidate) && !t.IsZero()
}

// SumEqual tells whether sum is the SHA-256 of candidate, in time that does not depend on
// where they differ.
func SumEqual(sum [sha256.Size]byte, candidate string) bool {
	got := sha256.Sum256([]byte(candidate))
	return subtle.ConstantTimeCompare(sum[:], got[:]) == 1
}

// String implements fmt.Stringer.
func (t Text) String() string {
	if t.IsZero() {
		return ""
	}
	return mask
}

// Format implements fmt.Formatter: no verb, not even %#v or %x, shows the value.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText implements encoding.TextMarshaler, which JSON and TOML encoders use.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, so configuration decodes straight into a Text.
func (t *Text) UnmarshalText(b []byte) error {
	*t = New(string(b))
	return nil
}

// LogValue implements slog.LogValuer.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
