package ingress

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/access"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// checkSecure decides about sandboxes that demand access verification, on every route
// form alike (contract 04 §6 and §10.2).
func (x *exchange) checkSecure() error {
	q := access.Question{Demanded: x.demandsAccess()}
	if !q.Demanded {
		// What looks like a signature in a path is the application's.
		x.route = x.route.Unsigned()
	}
	q.Header, q.Signed, q.Keys = x.accessHeader(), x.route.Signature != "", x.Signatures != nil
	answer, retry := access.Decide(q), time.Duration(0)
	if answer == access.CheckSignature {
		q.Signature, q.Withheld, retry = x.checkSignature()
		answer = access.Decide(q)
	}
	x.grant, x.proven = answer, x.proven || answer.Proven()
	if answer.Granted() {
		return nil
	}
	x.Metrics.refused[answer].Inc()
	refusal := refusals[answer]
	if retry > 0 {
		refusal = refusal.Retry(int((retry + time.Second - 1) / time.Second))
	}
	return refusal
}

// demandsAccess tells whether the sandbox demands verification, or the server does for it;
// the daemon's own token is enough for the server.
func (x *exchange) demandsAccess() bool {
	if x.entry.SecureSum != nil {
		return true
	}
	return x.RequireSecure && (x.route.Port != wire.PortExecd || x.entry.ExecdTokenSum == nil)
}

// accessHeader compares the first access token with the sandbox's.
func (x *exchange) accessHeader() access.Header {
	sent := x.r.Header[wire.HeaderSecureAccess]
	if len(sent) == 0 {
		return access.Absent
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(sent[0])))
	if want := x.entry.SecureSum; want != nil && subtle.ConstantTimeCompare(sum[:], want[:]) == 1 {
		return access.Equal
	}
	return access.Different
}

// checkSignature verifies the route's signature. withheld says that its worth may not be
// told for a while, because too many were guessed (threat row A4).
func (x *exchange) checkSignature() (outcome sign.Outcome, withheld bool, retry time.Duration) {
	now := time.Now()
	r := sign.Route{SandboxID: x.route.SandboxID, Port: x.route.Port, Expires: x.route.ExpiresB36}
	outcome = x.Signatures.Verify(r, x.route.Signature, now)
	if outcome != sign.Valid && outcome != sign.Mismatch {
		return outcome, false, 0
	}
	told, retry := x.Attempts.Tell(now, x.decision.Client, r, x.route.Signature, outcome)
	return outcome, !told, retry
}

// Codes of refused access.
const (
	CodeSecureAccess      = "MISSING_OR_INVALID_SECURE_ACCESS"
	CodeInvalidSignature  = "INVALID_SIGNATURE"
	CodeExpiredSignature  = "SIGNATURE_EXPIRED"
	CodeNoVerifier        = "VERIFIER_NOT_CONFIGURED"
	CodeSignaturesLimited = "TOO_MANY_INVALID_SIGNATURES"
)

// refusals are what clients are told; the beginnings are the contract's texts. One status
// stands for right and wrong signatures alike while they are withheld: 429, because the
// same request may well succeed later.
var refusals = [access.Answers]*apierror.Error{
	access.HeaderMismatch: apierror.New(http.StatusUnauthorized, CodeSecureAccess,
		"signature: secure access header mismatch. Send the OpenSandbox-Secure-Access header that the endpoint API returned for this sandbox."),
	access.SignatureRequired: apierror.New(http.StatusUnauthorized, CodeSecureAccess,
		"signature: signature required for this sandbox. Send the headers that the endpoint API returned, or ask it for a signed route with expires."),
	access.NoKeys: apierror.New(http.StatusServiceUnavailable, CodeNoVerifier,
		"signature: ingress verifier not configured. This server has no signing keys; send the OpenSandbox-Secure-Access header instead."),
	access.Expired: apierror.New(http.StatusUnauthorized, CodeExpiredSignature,
		"signature: access expired. Ask the endpoint API for a new signed route."),
	access.TooFar: apierror.New(http.StatusUnauthorized, CodeInvalidSignature,
		"signature: unauthorized: it expires later than this server allows. Ask the endpoint API for a new signed route."),
	access.UnknownKey: apierror.New(http.StatusUnauthorized, CodeInvalidSignature,
		"signature: unauthorized: unknown signed_key_id. Ask the endpoint API for a new signed route."),
	access.SignatureMismatch: apierror.New(http.StatusUnauthorized, CodeInvalidSignature,
		"signature: unauthorized: signature mismatch. Ask the endpoint API for a new signed route."),
	access.Withheld: apierror.New(http.StatusTooManyRequests, CodeSignaturesLimited,
		"Too many invalid signatures were tried. Try again after the time in Retry-After."),
}
