package files

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
)

// Query is a search below a directory (contract 06 §9.1).
type Query struct {
	Root    string
	Pattern string // "" = everything
	Type    string // one of the Types, or "" = all but directories
	Limit   int    // 0 = none
}

// Search calls visit for every match, in lexical order of the walk. Links are
// reported and not followed, the root included. Directories that cannot be read
// and entries that vanish are left out. ErrPattern precedes everything else.
func Search(ctx context.Context, q Query, visit func(Info) error) error {
	pattern, err := compile(q.Pattern)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(q.Root); err != nil {
		return err
	}
	d, found := NewDescriber(), 0
	return filepath.WalkDir(q.Root, func(path string, entry fs.DirEntry, err error) error {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		if err != nil {
			return nil // reported once with its entry already; its inside is out of reach
		}
		kind := typeOf(entry.Type())
		if q.Type == "" && kind == TypeDirectory || q.Type != "" && q.Type != kind {
			return nil
		}
		relative, err := filepath.Rel(q.Root, path)
		if err != nil {
			return nil
		}
		if relative == "." {
			relative = filepath.Base(path)
		}
		if !pattern.match(relative) {
			return nil
		}
		info, err := d.Path(path)
		if err != nil {
			return nil
		}
		if err := visit(info); err != nil {
			return err
		}
		if found++; found == q.Limit {
			return fs.SkipAll
		}
		return nil
	})
}
