package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is goose's, under a name the reference cannot take.
const versionTable = "edge_schema"

// pragmas of every connection. FULL makes a commit survive the loss of power.
var pragmas = []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"}

// Store is a lifecycle.Store in a SQLite file.
type Store struct {
	db   *sqlx.DB
	lock *os.File
}

// Open opens the file, makes it if there is none, and brings its tables up to date.
// It fails when others than the owner may read the file, when another process has it
// open as a store, and when it is damaged.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	s, err := open(ctx, path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store %s: %w", path, explain(err)), lock.Close())
	}
	s.lock = lock
	return s, nil
}

func open(ctx context.Context, path string) (*Store, error) {
	// A path may hold what a URL gives a meaning to.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}.Encode()}
	db, err := sqlx.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	// SQLite has one writer; a second connection would only wait for the first.
	db.SetMaxOpenConns(1)
	if err := ready(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{db: db}, nil
}

// ready checks the file and migrates it.
func ready(ctx context.Context, db *sqlx.DB) error {
	var found string
	if err := db.GetContext(ctx, &found, "PRAGMA quick_check(1)"); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, found)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	table, err := database.NewStore(goose.DialectSQLite3, versionTable)
	if err != nil {
		return err
	}
	steps, err := goose.NewProvider(goose.DialectCustom, db.DB, files,
		goose.WithStore(table), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	current, latest, err := steps.GetVersions(ctx)
	if err == nil && current > latest {
		return fmt.Errorf("the store was written by a newer version of this server (schema %d, known up to %d)", current, latest)
	}
	if err != nil {
		return err
	}
	_, err = steps.Up(ctx)
	return err
}

// prepare makes the folder and the file with the right modes, and checks those that exist.
func prepare(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	// SQLite gives its own files the mode of the main one; a crash may have left some.
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != path:
			continue
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is not a regular file", name)
		case info.Mode().Perm()&0o077 != 0:
			return fmt.Errorf("%s can be read by others (mode %#o); run: chmod 600 %s", name, info.Mode().Perm(), name)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("the folder %s can be written by others (mode %#o); run: chmod go-w %s", dir, info.Mode().Perm(), dir)
	}
	return nil
}

var errDamaged = errors.New("the file is damaged; restore it from a backup, or move it away: sandboxes are then adopted again as their labels say")

// explain turns SQLite's codes into what to do.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w (%s)", errDamaged, strings.TrimSpace(e.Error()))
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("another process holds the file; stop it first (%w)", err)
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("the file or its folder cannot be written (%w)", err)
	}
	return err
}

// Close closes the file.
func (s *Store) Close() error { return errors.Join(s.db.Close(), s.lock.Close()) }
