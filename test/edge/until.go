package edge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type finalError struct{ error }

// Final marks an error that waiting will not cure.
func Final(err error) error { return finalError{err} }

// Until calls check until it succeeds, says Final, or ctx ends.
func Until(ctx context.Context, check func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		var final finalError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return final.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}
