package ingress

import (
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Codes of requests over a limit; all are 503 with Retry-After.
const (
	CodeSandboxFull = "SANDBOX::TOO_MANY_REQUESTS"
	CodeServerFull  = "GENERAL::SERVER_OVERLOADED"
)

var (
	errSandboxFull = apierror.New(http.StatusServiceUnavailable, CodeSandboxFull,
		"Too many requests, streams and WebSockets are open to this sandbox. Close some, or try again soon.").Retry(1)
	errServerFull = apierror.New(http.StatusServiceUnavailable, CodeServerFull,
		"The server has too many open connections. Try again soon.").Retry(2)
)

// rejection names the limit that a request was over.
type rejection string

const (
	rejectedSandboxFull rejection = "sandbox_full" // Options.MaxRequests
	rejectedServerFull  rejection = "server_full"  // Options.Reserved
)

// takePlace counts the exchange against its sandbox. Only requests with access do count:
// nobody else may fill a sandbox up.
func (x *exchange) takePlace() (*lifecycle.InFlight, error) {
	places := x.entry.InFlight
	if !places.Enter(x.MaxRequests) {
		x.Metrics.rejected[rejectedSandboxFull].Inc()
		return nil, errSandboxFull
	}
	return places, nil
}

// serverFull refuses a request and takes its connection away.
func (x *exchange) serverFull() error {
	x.Metrics.rejected[rejectedServerFull].Inc()
	if x.r.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close")
	}
	return errServerFull
}
