package renew

import (
	"errors"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// outcome is what became of an access; its text is a label of the metrics.
type outcome uint8

const (
	queued outcome = iota // a worker will tell

	renewed
	deferred
	unchanged
	ineligible
	failed
	elsewhere // another server renewed it in this interval

	throttled
	duplicate
	notRunning
	queueFull
	closed

	notOptedIn
	unknown
	malformed
	stale
	future

	outcomes // their number
)

var outcomeNames = [outcomes]string{
	renewed: "renewed", deferred: "deferred", unchanged: "unchanged", ineligible: "ineligible", failed: "failed",
	elsewhere: "elsewhere", throttled: "throttled", duplicate: "duplicate", notRunning: "not_running",
	queueFull: "queue_full", closed: "closed", notOptedIn: "not_opted_in", unknown: "unknown",
	malformed: "malformed", stale: "stale", future: "future",
}

func (o outcome) String() string { return outcomeNames[o] }

// Refusal says why an access that somebody reported is not believed.
type Refusal outcome

// The refusals.
const (
	Malformed = Refusal(malformed) // not an intent, or too large to be one
	Stale     = Refusal(stale)     // too long ago
	Future    = Refusal(future)    // not yet
)

// String is the reason's name in logs and metrics.
func (r Refusal) String() string { return outcome(r).String() }

func outcomeOf(x lifecycle.Extension, err error) outcome {
	switch {
	case isGone(err):
		return ineligible // deleted since it was touched
	case err != nil:
		return failed
	}
	switch x.Outcome {
	case lifecycle.Renewed:
		return renewed
	case lifecycle.Deferred:
		return deferred
	case lifecycle.Unchanged:
		return unchanged
	}
	return ineligible
}

func isGone(err error) bool {
	var typed *apierror.Error
	return errors.As(err, &typed) && typed.Status == http.StatusNotFound
}
