package docker

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/errdefs"
)

// maxProgressLine bounds one record of a pull's progress stream.
const maxProgressLine = 1 << 20

// streamedError is a failure reported inside a progress stream whose HTTP status said 200.
type streamedError struct {
	text string
	code int
}

func (e *streamedError) Error() string { return e.text }

// readProgress drains a pull's stream of JSON records and returns the first error in it.
func readProgress(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxProgressLine)
	for lines.Scan() {
		line := lines.Bytes()
		if len(strings.TrimSpace(string(line))) == 0 {
			continue
		}
		var record struct {
			Error       string `json:"error"`
			ErrorDetail *struct {
				Code    int    `json:"code"`
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		if err := json.Unmarshal(line, &record); err != nil {
			return fmt.Errorf("unreadable record in the pull's progress stream: %w", err)
		}
		switch {
		case record.ErrorDetail != nil && (record.ErrorDetail.Message != "" || record.ErrorDetail.Code != 0):
			return &streamedError{text: cmp.Or(record.ErrorDetail.Message, record.Error), code: record.ErrorDetail.Code}
		case record.Error != "":
			return &streamedError{text: record.Error}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the pull's progress stream: %w", err)
	}
	return nil
}

// pullReason is why a pull failed.
type pullReason string

const (
	reasonNotFound     pullReason = "not_found"
	reasonUnauthorized pullReason = "unauthorized"
	reasonRateLimited  pullReason = "rate_limited"
	reasonPlatform     pullReason = "platform"
	reasonDiskFull     pullReason = "disk_full"
	reasonPolicy       pullReason = "policy"
	reasonNetwork      pullReason = "network"
	reasonTimeout      pullReason = "timeout"
	reasonUnknown      pullReason = "unknown"
)

// hint is what the client is told to do.
func (r pullReason) hint() string {
	switch r {
	case reasonNotFound:
		return "there is no such image; check name and tag, and image.auth if it is private."
	case reasonUnauthorized:
		return "the registry demands a login; check image.auth."
	case reasonRateLimited:
		return "the registry limits the rate of pulls; try again later or pass image.auth."
	case reasonDiskFull:
		return "the engine's disk is full; the operator has to make room."
	case reasonPolicy:
		return "it is not on the engine, and this server pulls none; the operator has to load it."
	case reasonNetwork:
		return "the registry cannot be reached from the engine; try again, or load the image on the engine's host."
	case reasonTimeout:
		return "it took too long or was cancelled; try again."
	}
	return "the server's log has the engine's answer."
}

// pullSigns maps phrases in engine and registry answers to reasons; the first match wins.
// The engine reports almost all of them as text only. They decide wording and whether
// a retry can help, nothing else.
var pullSigns = []struct {
	phrase string
	reason pullReason
}{
	{"toomanyrequests", reasonRateLimited},
	{"too many requests", reasonRateLimited},
	{"no space left", reasonDiskFull},
	{"no matching manifest", reasonPlatform},
	{"does not match the specified platform", reasonPlatform},
	{"image operating system", reasonPlatform},
	{"repository does not exist or may require", reasonNotFound}, // a registry does not tell which
	{"unauthorized", reasonUnauthorized},
	{"authentication required", reasonUnauthorized},
	{"no basic auth credentials", reasonUnauthorized},
	{"access denied", reasonUnauthorized},
	{"denied:", reasonUnauthorized},
	{"manifest unknown", reasonNotFound},
	{"name unknown", reasonNotFound},
	{"not found", reasonNotFound},
	{"does not exist", reasonNotFound},
	{"deadline exceeded", reasonNetwork},
	{"timeout", reasonNetwork},
	{"timed out", reasonNetwork},
	{"connection refused", reasonNetwork},
	{"connection reset", reasonNetwork},
	{"no such host", reasonNetwork},
	{"server misbehaving", reasonNetwork},
	{"unreachable", reasonNetwork},
	{"temporary failure", reasonNetwork},
	{"tls:", reasonNetwork},
	{"x509:", reasonNetwork},
	{"http response to https", reasonNetwork},
	{"eof", reasonNetwork},
	{"proxyconnect", reasonNetwork},
}

// classifyPull finds the reason of a failed pull.
func classifyPull(err error) pullReason {
	text := strings.ToLower(err.Error())
	var streamed *streamedError
	if errors.As(err, &streamed) {
		switch streamed.code {
		case 401, 403:
			return reasonUnauthorized
		case 404:
			return reasonNotFound
		case 429:
			return reasonRateLimited
		}
	}
	for _, sign := range pullSigns {
		if strings.Contains(text, sign.phrase) {
			return sign.reason
		}
	}
	switch {
	case errdefs.IsNotFound(err):
		return reasonNotFound
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		return reasonUnauthorized
	case connectionFailed(err):
		return reasonNetwork
	}
	return reasonUnknown
}
