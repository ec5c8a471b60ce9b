package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/idempotency"
)

const (
	codeKeyReused = "SANDBOX::IDEMPOTENCY_KEY_REUSED"
	codeKeyUsed   = "SANDBOX::IDEMPOTENCY_KEY_USED"
)

// once asks whether a create request is the first of its kind. It returns the turn of
// the first one, which is nil without a key, or the sandbox that the first one made.
func (s *Service) once(ctx context.Context, r CreateRequest) (*idempotency.Turn, *Sandbox, error) {
	if r.IdempotencyKey == "" {
		return nil, nil, nil
	}
	key := s.sum("idempotency-key", strconv.Quote(r.Client)+r.IdempotencyKey)
	turn, made, err := s.keys.Enter(ctx, key, s.sum("create-request", string(r.Content[:])))
	switch {
	case errors.Is(err, idempotency.ErrReused):
		return nil, nil, apierror.New(http.StatusConflict, codeKeyReused,
			"This Idempotency-Key was used for another request. Use a new key for each sandbox.")
	case err != nil:
		return nil, nil, s.waitError(err)
	case turn != nil:
		return turn, nil, nil
	}
	u, err := s.find(made)
	if err != nil {
		return nil, nil, apierror.New(http.StatusConflict, codeKeyUsed,
			"The sandbox %q, made with this Idempotency-Key, is gone. Use a new key to create another one.", made)
	}
	sb := u.view.Load().sandbox().clone()
	return nil, &sb, nil
}

// bind notes the sandbox that a turn is about to make.
func (s *Service) bind(ctx context.Context, t *idempotency.Turn, id string) error {
	if err := t.Bind(ctx, id); err != nil {
		return storeError(err)
	}
	return nil
}

// keep and free end a turn. What the store does not take in is known until a restart.
func (s *Service) keep(ctx context.Context, t *idempotency.Turn) { s.noteTurn(ctx, t.Keep) }
func (s *Service) free(ctx context.Context, t *idempotency.Turn) { s.noteTurn(ctx, t.Release) }

func (s *Service) noteTurn(ctx context.Context, end func(context.Context) error) {
	ctx, cancel := detached(ctx, teardownTimeout)
	defer cancel()
	if err := end(ctx); err != nil {
		s.log.ErrorContext(ctx, "could not note what became of an idempotency key", "error", err)
	}
}

// sum is a keyed hash: what comes out can be stored, and tells nothing.
func (s *Service) sum(purpose, text string) idempotency.Sum {
	return idempotency.Sum(derive(s.o.Secret, purpose, text))
}
