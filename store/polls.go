package store

import (
	"context"
	"fmt"
	"time"
)

// TakePoll takes or keeps the turn to poll.
func (s *Store) TakePoll(ctx context.Context, integrationID, holder string, now, until time.Time) (cursor string, got bool, err error) {
	err = s.write(ctx, func(c conn) error {
		cursor, got = "", false
		n, err := c.exec(ctx, `insert into polls (integration_id, cursor, holder, until) select id, '', $2, $3 from integrations where id = $1
			on conflict (integration_id) do update set holder = excluded.holder, until = excluded.until
			where polls.holder = excluded.holder or polls.until <= $4`, integrationID, holder, micros(until), micros(now))
		if err != nil || n == 0 {
			return err
		}
		got = true
		return c.one(ctx, `select cursor from polls where integration_id = $1`, []any{integrationID}, &cursor)
	})
	return cursor, got && err == nil, wrap(err, "take the turn to poll %s", integrationID)
}

// CommitPoll keeps events and the cursor after them.
func (s *Store) CommitPoll(ctx context.Context, integrationID, holder, cursor string, events []ProviderEvent, now time.Time) ([]InboxEvent, error) {
	var told []InboxEvent
	err := s.write(ctx, func(c conn) error {
		n, err := c.exec(ctx, `update polls set cursor = $3 where integration_id = $1 and holder = $2`, integrationID, holder, cursor)
		if err == nil && n == 0 {
			err = ErrStale
		}
		if err != nil {
			return err
		}
		told, err = c.commitReports(ctx, events, at(now))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("commit %d events polled from %s: %w", len(events), integrationID, err)
	}
	return told, nil
}

// ReleasePoll lets another poll at once.
func (s *Store) ReleasePoll(ctx context.Context, integrationID, holder string) error {
	_, err := s.direct().exec(ctx, `update polls set until = 0 where integration_id = $1 and holder = $2`, integrationID, holder)
	return wrap(err, "give back the turn to poll %s", integrationID)
}
