package api

import (
	"context"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// Service is what the API needs of *lifecycle.Service. Errors meant for a client are
// *apierror.Error; anything else becomes a 500 that hides its text.
type Service interface {
	Create(ctx context.Context, r lifecycle.CreateRequest) (lifecycle.Sandbox, error)
	Get(ctx context.Context, id string) (lifecycle.Sandbox, error)
	List(ctx context.Context, f lifecycle.Filter, p lifecycle.Page) (lifecycle.ListResult, error)
	Delete(ctx context.Context, id string) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Renew(ctx context.Context, id string, at time.Time) (time.Time, error)
	PatchMetadata(ctx context.Context, id string, patch map[string]*string) (lifecycle.Sandbox, error)

	// ExecdToken returns the token that the sandbox's execd demands; zero when it demands none.
	ExecdToken(id string) secret.Text
	// AccessToken returns the token that every route into the sandbox demands; zero when they demand none.
	AccessToken(id string) secret.Text
	Directory() *lifecycle.Directory
	NotFound(id string) *apierror.Error
	Ready() lifecycle.Readiness
}
