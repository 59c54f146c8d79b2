package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Store fills every role.
var (
	_ Campaigns  = (*Store)(nil)
	_ Stages     = (*Store)(nil)
	_ Strategies = (*Store)(nil)
	_ Contacts   = (*Store)(nil)
	_ Imports    = (*Store)(nil)
	_ Sessions   = (*Store)(nil)
	_ Ledger     = (*Store)(nil)
	_ Reports    = (*Store)(nil)
	_ Agents     = (*Store)(nil)
	_ Office     = (*Store)(nil)
)

// Options of [Open]; the zero value works, but keeps no secrets.
type Options struct {
	// SecretKeys are AES-256 keys of 32 bytes. The first one seals, all of them
	// open; [Store.RotateSecrets] seals everything again with the first.
	SecretKeys [][]byte
	// MaxConns bounds PostgreSQL's connections; 0 is 16.
	MaxConns int
	// Now is the clock of created_at and updated_at; nil is time.Now.
	Now func() time.Time
}

// Store is the one implementation of the roles. It is safe for concurrent use.
type Store struct {
	writer, reader *sql.DB // the same on PostgreSQL
	dialect        dialect
	box            *box
	clock          func() time.Time
	prepared       sync.Map // SQL text to *sql.Stmt, SQLite only
	plans          sync.Map // planKey to *bulkPlan, SQLite only
	close          func() error
	watch          func(query string, args []any) // sees every query, if set: tests look at plans
}

// Open connects to "postgres://…" or opens the file of "sqlite:///path" or of a
// plain path. It does not migrate: see [Store.Migrate].
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	b, err := newBox(o.SecretKeys)
	if err != nil {
		return nil, err
	}
	var s *Store
	switch {
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		s, err = openPostgres(ctx, dsn, o)
	case strings.HasPrefix(dsn, "sqlite://"):
		s, err = openSQLite(strings.TrimPrefix(dsn, "sqlite://"))
	case dsn != "" && !strings.Contains(dsn, "://"):
		s, err = openSQLite(dsn)
	default:
		return nil, errors.New("open store: the address is neither postgres://…, sqlite://… nor a path")
	}
	if err != nil {
		return nil, err
	}
	s.box, s.clock = b, o.Now
	if s.clock == nil {
		s.clock = time.Now
	}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	for _, db := range []*sql.DB{s.writer, s.reader} {
		if err := db.PingContext(ctx); err != nil {
			return fmt.Errorf("reach the store: %w", err)
		}
	}
	return nil
}

// Close lets the database go.
func (s *Store) Close() error {
	s.prepared.Range(func(_, stmt any) bool { _ = stmt.(*sql.Stmt).Close(); return true })
	return s.close()
}

// Kind returns "sqlite" or "postgres".
func (s *Store) Kind() string { return s.dialect.name }

func (s *Store) now() time.Time { return at(s.clock()) }
