package ingress

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/ingress/access"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/secret"
)

// checkAccess decides at the edge, before anything is dialled.
func (x *exchange) checkAccess() error {
	if err := x.checkSecure(); err != nil {
		return err
	}
	return x.checkToken()
}

// checkToken asks for the token of the sandbox's daemon: it may have been replaced by the
// workload (threat row A1).
func (x *exchange) checkToken() error {
	want := x.entry.ExecdTokenSum
	if want == nil && x.decision.KeyErr != nil {
		return x.decision.KeyErr // no token stands in for the API key here
	}
	if x.route.Port != wire.PortExecd || want == nil {
		return nil
	}
	sent := x.r.Header[wire.HeaderExecdToken]
	if len(sent) == 1 && tokenEqual(*want, sent[0]) {
		x.proven = true
		return nil
	}
	if x.isPing() && (x.proven || !x.HideExistence) {
		return nil
	}
	if len(sent) == 0 || (len(sent) == 1 && sent[0] == "") {
		return errMissingToken
	}
	return errInvalidToken
}

// maxToken bounds the tokens that are compared, in bytes: hashing a longer one takes so
// long that the time would tell which sandboxes exist (threat row A7).
const maxToken = 256

func tokenEqual(want [sha256.Size]byte, sent string) bool {
	return len(sent) <= maxToken && secret.SumEqual(want, sent)
}

// isPing is execd's liveness question, which needs no token: it tells nothing but that the
// sandbox exists.
func (x *exchange) isPing() bool {
	return x.r.Method == http.MethodGet && x.route.Path == "/ping" && !x.upgrade
}

// isStrangersPing tells a question on the daemon's port by somebody who has shown nothing.
// It neither keeps a sandbox alive nor wakes it (threat rows A7 and X5).
func (x *exchange) isStrangersPing() bool {
	return x.route.Port == wire.PortExecd && !x.proven && x.isPing()
}

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
	if want := x.entry.SecureSum; want != nil && tokenEqual(*want, strings.TrimSpace(sent[0])) {
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
