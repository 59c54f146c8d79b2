//go:build !carillon_pgx

package store

import (
	"context"
	"errors"
)

// openPostgres stands in until go.mod requires jackc/puddle, which pgxpool needs.
func openPostgres(context.Context, string, Options) (*Store, error) {
	return nil, errors.New("open store: this build has no PostgreSQL")
}
