package apierror_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
)

func TestWriteTypedError(t *testing.T) {
	w := httptest.NewRecorder()
	err := apierror.New(503, "GENERAL::SERVER_OVERLOADED", "busy: %d", 7).Because(errors.New("10.0.0.1 refused")).Retry(1)
	apierror.Write(w, fmt.Errorf("wrapped: %w", err))

	require.Equal(t, 503, w.Code)
	require.JSONEq(t, `{"code":"GENERAL::SERVER_OVERLOADED","message":"busy: 7"}`, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "1", w.Header().Get("Retry-After"))
}

func TestWriteUnknownErrorHidesItsText(t *testing.T) {
	w := httptest.NewRecorder()
	apierror.Write(w, errors.New("password=hunter2"))

	require.Equal(t, 500, w.Code)
	require.Contains(t, w.Body.String(), `"code":"GENERAL::UNKNOWN_ERROR"`)
	require.NotContains(t, w.Body.String(), "hunter2")
}
