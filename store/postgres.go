package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgres opens a pool of pgx and puts database/sql over it.
func openPostgres(ctx context.Context, dsn string, o Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open store: the PostgreSQL address is not readable: %w", err)
	}
	config.MaxConns = int32(min(cmp.Or(o.MaxConns, 16), 1000)) //nolint:gosec // bounded
	config.MaxConnIdleTime = 5 * time.Minute
	config.ConnConfig.RuntimeParams["application_name"] = "carillon"
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	return &Store{
		writer: db, reader: db, dialect: postgresDialect,
		close: func() error { err := db.Close(); pool.Close(); return err },
	}, nil
}
