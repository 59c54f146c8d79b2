package store

import (
	"context"
	"time"
)

// KeepSweep keeps a sweep that is to be started; the same one again changes nothing.
func (s *Store) KeepSweep(ctx context.Context, k KeptSweep) error {
	_, err := s.direct().exec(ctx, `insert into sweeps (id, at, doc) values ($1, $2, $3) on conflict (id) do nothing`, k.ID, micros(k.At), string(k.Spec))
	return wrap(err, "keep sweep %s", k.ID)
}

// SweepsLeft lists what was kept before a moment and not dropped, the oldest first.
func (s *Store) SweepsLeft(ctx context.Context, before time.Time) ([]KeptSweep, error) {
	left, err := collect(ctx, s.read(), `select id, at, doc from sweeps where at < $1 order by at, id limit 100`, []any{micros(before)},
		func(row scanner) (k KeptSweep, err error) {
			var when int64
			err = row.Scan(&k.ID, &when, (*[]byte)(&k.Spec))
			k.At = fromMicros(when)
			return k, err
		})
	return left, wrap(err, "read sweeps that are left")
}

// DropSweep drops a sweep that Temporal knows of, or that is not to be.
func (s *Store) DropSweep(ctx context.Context, id string) error {
	_, err := s.direct().exec(ctx, `delete from sweeps where id = $1`, id)
	return wrap(err, "drop sweep %s", id)
}
