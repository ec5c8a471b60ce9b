package lifecycle

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Filter selects sandboxes (contract 01 §7.3). The zero value selects all.
type Filter struct {
	// States are OR-ed and compared without regard to case; nil = any state. A value
	// that is no state, the empty one included, matches nothing.
	States []string
	// Metadata entries are AND-ed and compared exactly.
	Metadata map[string]string
}

func (f Filter) matches(v *view) bool {
	for k, want := range f.Metadata {
		if got, ok := v.record.Metadata[k]; !ok || got != want {
			return false
		}
	}
	return f.States == nil || slices.ContainsFunc(f.States, func(s string) bool {
		return strings.EqualFold(s, string(v.shown().State))
	})
}

// Page is a window of a list. Number counts from 1; the caller has checked the
// bounds of both (contract 01 §7.3).
type Page struct{ Number, Size int }

// ListResult is one page of sandboxes, newest first.
type ListResult struct {
	Items []Sandbox // never nil
	Page  Page
	Total int // sandboxes that match the filter, on all pages
}

// TotalPages is 0 for an empty list.
func (r ListResult) TotalPages() int { return (r.Total + r.Page.Size - 1) / r.Page.Size }

// HasNext tells whether a later page holds items.
func (r ListResult) HasNext() bool { return r.Page.Number < r.TotalPages() }

// Get tells about one sandbox, from memory.
func (s *Service) Get(_ context.Context, id string) (Sandbox, error) {
	u, err := s.find(id)
	if err != nil {
		return Sandbox{}, err
	}
	return u.view.Load().sandbox().clone(), nil
}

// List returns a page of the sandboxes that match f, by creation time descending,
// from memory.
func (s *Service) List(_ context.Context, f Filter, p Page) (ListResult, error) {
	var found []*view
	s.sandboxes.Range(func(_, one any) bool {
		u := one.(*tracked)
		if v := u.view.Load(); !u.member.Load() && f.matches(v) {
			found = append(found, v)
		}
		return true
	})
	slices.SortFunc(found, func(a, b *view) int {
		return cmp.Or(b.record.CreatedAt.Compare(a.record.CreatedAt), cmp.Compare(a.record.ID, b.record.ID))
	})
	r := ListResult{Items: []Sandbox{}, Page: p, Total: len(found)}
	if p.Size < 1 {
		r.Page.Size = 1
	}
	// Compared by division: a huge page number must not overflow the product.
	if first := r.Page.Number - 1; first >= 0 && first <= len(found)/r.Page.Size {
		from := first * r.Page.Size
		for _, v := range found[from:min(from+r.Page.Size, len(found))] {
			r.Items = append(r.Items, v.sandbox().clone())
		}
	}
	return r, nil
}
