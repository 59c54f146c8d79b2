package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema to this build's version. Starters may run it at the
// same time: PostgreSQL has a lock for it; on SQLite one of them wins, and the
// others look again.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	const attempts = 10
	for i := 1; ; i++ {
		if _, err = p.Up(ctx); err == nil {
			return s.recountTodo(ctx)
		}
		if s.dialect.postgres() || i == attempts || ctx.Err() != nil {
			return fmt.Errorf("migrate store: %w", err)
		}
		time.Sleep(time.Duration(i) * 10 * time.Millisecond)
	}
}

// Version returns the schema's version in the database and in this build.
func (s *Store) Version(ctx context.Context) (database, build int64, err error) {
	p, err := s.provider()
	if err != nil {
		return 0, 0, err
	}
	database, build, err = p.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read schema version: %w", err)
	}
	return database, build, nil
}

func (s *Store) provider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.dialect.postgres() {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("make migration lock: %w", err)
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, s.writer, dir, options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}
