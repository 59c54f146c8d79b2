package store

import "context"

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
