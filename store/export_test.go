package store

import (
	"context"
	"strings"
)

// MoveSecretForTest puts the sealed secrets of one campaign under another one.
func (s *Store) MoveSecretForTest(ctx context.Context, from, to string) error {
	_, err := s.direct().exec(ctx, `update secrets set owner_id = $2 where owner_id = $1`, from, to)
	return err
}

// AnalyzeForTest gives PostgreSQL's planner what autovacuum gives it in time.
func (s *Store) AnalyzeForTest(ctx context.Context) error {
	if !s.dialect.postgres() {
		return nil
	}
	_, err := s.direct().exec(ctx, `vacuum analyze`)
	return err
}

// PlansForTest runs a read and returns how the database carries its statements out.
// PostgreSQL is not asked to scan: on tables as small as a test's it always would.
func (s *Store) PlansForTest(ctx context.Context, read func() error) (map[string]string, error) {
	type statement struct {
		query string
		args  []any
	}
	var seen []statement
	s.watch = func(query string, args []any) { seen = append(seen, statement{query, args}) }
	err := read()
	s.watch = nil
	if err != nil {
		return nil, err
	}
	plans := map[string]string{}
	for _, x := range seen {
		plan, err := s.explain(ctx, x.query, x.args)
		if err != nil {
			return nil, err
		}
		plans[x.query] = plan
	}
	return plans, nil
}

func (s *Store) explain(ctx context.Context, query string, args []any) (string, error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }()
	how := "explain query plan "
	if s.dialect.postgres() {
		how = "explain "
		for _, off := range []string{"enable_seqscan", "enable_sort", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"} {
			if _, err := tx.ExecContext(ctx, "set local "+off+" = off"); err != nil {
				return "", err
			}
		}
	}
	rows, err := tx.QueryContext(ctx, how+query, args...)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if s.dialect.postgres() {
			err = rows.Scan(&line)
		} else {
			var id, parent, unused int
			err = rows.Scan(&id, &parent, &unused, &line)
		}
		if err != nil {
			return "", err
		}
		plan.WriteString(line + "\n")
	}
	return plan.String(), rows.Err()
}
