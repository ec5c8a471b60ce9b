package docker

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

func TestReadProgress(t *testing.T) {
	good := `{"status":"Pulling from library/python","id":"3.11"}
{"status":"Downloading","progressDetail":{"current":1,"total":2},"progress":"[=> ]","id":"a"}

{"status":"Status: Downloaded newer image"}
`
	require.NoError(t, readProgress(strings.NewReader(good)))
	require.NoError(t, readProgress(strings.NewReader("")))

	err := readProgress(strings.NewReader(good + `{"errorDetail":{"code":401,"message":"unauthorized: no"},"error":"unauthorized: no"}` + "\n"))
	require.EqualError(t, err, "unauthorized: no")
	require.Equal(t, reasonUnauthorized, classifyPull(err))

	require.EqualError(t, readProgress(strings.NewReader(`{"error":"old engines say only this"}`)), "old engines say only this")
	require.EqualError(t, readProgress(strings.NewReader(`{"errorDetail":{"code":404}}`)), "")
	require.Error(t, readProgress(strings.NewReader("<html>")), "what is no record is no success")
	require.Error(t, readProgress(strings.NewReader(`{"status":"`+strings.Repeat("x", maxProgressLine)+`"}`)), "a record is bounded")
	require.ErrorIs(t, readProgress(io.MultiReader(strings.NewReader(good), broken{})), errBroken, "a stream that breaks off is a failure")
}

var errBroken = errors.New("connection reset by peer")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestClassifyPull(t *testing.T) {
	for text, want := range map[string]pullReason{
		"manifest for x:y not found: manifest unknown: manifest unknown":                                              reasonNotFound,
		"pull access denied for x, repository does not exist or may require 'docker login': denied: requested access": reasonNotFound,
		"unauthorized: authentication required":                                                                       reasonUnauthorized,
		"Head \"https://r/v2/x\": no basic auth credentials":                                                          reasonUnauthorized,
		"toomanyrequests: You have reached your pull rate limit":                                                      reasonRateLimited,
		"no matching manifest for linux/arm64/v8 in the manifest list entries":                                        reasonPlatform,
		"write /var/lib/docker/tmp/x: no space left on device":                                                        reasonDiskFull,
		"Get \"https://r/v2/\": dial tcp: lookup r on 1.1.1.1:53: no such host":                                       reasonNetwork,
		"Get \"https://r/v2/\": dial tcp 10.0.0.1:443: connect: connection refused":                                   reasonNetwork,
		"Get \"https://r/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded)":    reasonNetwork,
		"Get \"https://r/v2/\": x509: certificate signed by unknown authority":                                        reasonNetwork,
		"unexpected EOF": reasonNetwork,
		"something else": reasonUnknown,
	} {
		require.Equal(t, want, classifyPull(errors.New(text)), text)
	}
	require.Equal(t, reasonNotFound, classifyPull(&streamedError{text: "?", code: 404}))
	require.Equal(t, reasonRateLimited, classifyPull(&streamedError{text: "?", code: 429}))
}

func TestPullErrorHidesTheEnginesText(t *testing.T) {
	cause := errors.New("Get \"https://10.0.0.7:5000/v2/\": dial tcp: user:hunter2 refused")
	for _, reason := range []pullReason{reasonNotFound, reasonUnauthorized, reasonRateLimited, reasonDiskFull, reasonNetwork, reasonTimeout, reasonUnknown} {
		var typed *apierror.Error
		require.ErrorAs(t, pullError(reason, image.Reference{Name: "x:1"}, cause), &typed)
		require.Equal(t, 500, typed.Status)
		require.Equal(t, "DOCKER::SANDBOX_IMAGE_PULL_FAILED", typed.Code)
		require.NotContains(t, typed.Message, "10.0.0.7")
		require.NotContains(t, typed.Message, "hunter2")
		require.ErrorIs(t, typed, cause)
	}
	var typed *apierror.Error
	require.ErrorAs(t, pullError(reasonPlatform, image.Reference{Name: "x:1"}, cause), &typed)
	require.Equal(t, 400, typed.Status)
}
