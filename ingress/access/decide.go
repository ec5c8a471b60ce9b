package access

import "github.com/opensandbox-edge/edge/ingress/sign"

// Header is what a request shows as access token.
type Header uint8

// The headers. An empty header is Different.
const (
	Absent Header = iota
	Equal
	Different
)

// Question is what the decision hangs on.
type Question struct {
	Demanded bool // the sandbox, or the server for all of them, demands verification
	Header   Header
	Signed   bool // the route has the shape of a signed one
	Keys     bool // there are keys to verify signatures with

	// Signature is looked at only when the first Answer was CheckSignature.
	Signature sign.Outcome
	// Withheld says that nobody may learn now whether a signature is right: too many
	// were guessed (threat row A4).
	Withheld bool
}

// Answer is the decision.
type Answer uint8

// The answers. The zero value grants nothing.
const (
	CheckSignature Answer = iota // it hangs on the signature: ask again with its outcome

	Open        // granted: nothing is demanded
	ByHeader    // granted by the access token
	BySignature // granted by a signed route

	HeaderMismatch
	SignatureRequired
	NoKeys
	Expired
	TooFar
	UnknownKey
	SignatureMismatch
	Withheld

	// Answers is how many answers there are.
	Answers
)

// Granted tells whether the request may enter.
func (a Answer) Granted() bool { return a == Open || a.Proven() }

// Proven tells whether it may because it showed a credential.
func (a Answer) Proven() bool { return a == ByHeader || a == BySignature }

// String is the answer's name in metrics and logs.
func (a Answer) String() string {
	return [Answers]string{
		"unchecked", "open", "header", "signature",
		"header_mismatch", "signature_required", "no_keys", "expired", "too_far", "unknown_key", "signature_mismatch", "withheld",
	}[a]
}

// Decide answers a question. A header that is there decides alone: a wrong one is not made
// good by a signature, and with a right one the signature is not looked at.
func Decide(q Question) Answer {
	switch {
	case !q.Demanded:
		return Open
	case q.Header == Equal:
		return ByHeader
	case q.Header == Different:
		return HeaderMismatch
	case !q.Signed:
		return SignatureRequired
	case !q.Keys:
		return NoKeys
	}
	switch q.Signature {
	case sign.Expired:
		return Expired
	case sign.TooFar:
		return TooFar
	case sign.UnknownKey:
		return UnknownKey
	case sign.Mismatch, sign.Valid:
		if q.Withheld {
			return Withheld
		}
		if q.Signature == sign.Valid {
			return BySignature
		}
		return SignatureMismatch
	}
	return CheckSignature
}
