package store

import (
	"context"
	"fmt"
)

// AddNote adds an operator's note to a session; one that is there already stays.
func (s *Store) AddNote(ctx context.Context, n Note) error {
	err := s.write(ctx, func(c conn) error {
		if _, err := c.session(ctx, n.SessionID, ""); err != nil {
			return err
		}
		_, err := c.exec(ctx, `insert into session_notes (id, session_id, author, content, at) values ($1, $2, $3, $4, $5) on conflict do nothing`,
			n.ID, n.SessionID, n.Author, n.Content, micros(n.At))
		return err
	})
	return wrap(err, "add note %s", n.ID)
}

// Notes lists the notes of a session, oldest first.
func (s *Store) Notes(ctx context.Context, sessionID string) ([]Note, error) {
	notes, err := collect(ctx, s.read(), `select id, session_id, author, content, at from session_notes where session_id = $1 order by at, id`,
		[]any{sessionID}, func(row scanner) (n Note, err error) {
			var when int64
			err = row.Scan(&n.ID, &n.SessionID, &n.Author, &n.Content, &when)
			n.At = fromMicros(when)
			return n, err
		})
	if err != nil {
		return nil, fmt.Errorf("read notes of session %s: %w", sessionID, err)
	}
	return notes, nil
}
