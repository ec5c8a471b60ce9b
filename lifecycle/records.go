package lifecycle

import "context"

// save writes a record durably, and measures it.
func (s *Service) save(ctx context.Context, r Record) error {
	begin := s.clock.Now()
	err := s.o.Store.Put(ctx, r)
	s.metrics.stored(ctx, "put", s.clock.Now().Sub(begin), err)
	if err != nil {
		return storeError(err)
	}
	return nil
}

// erase deletes a record durably, and measures it.
func (s *Service) erase(ctx context.Context, id string) error {
	begin := s.clock.Now()
	err := s.o.Store.Delete(ctx, id)
	s.metrics.stored(ctx, "delete", s.clock.Now().Sub(begin), err)
	return err
}
