package store

import (
	"context"
	"errors"

	"carillon/campaign"
)

// waitsAgain works out since when the contact of a message's session waits for a
// person, once an operator's message has failed, has arrived after all, or is sent again: what the
// contact never got is no answer. It waits since the first of its messages after our
// last word; where a person was given the session and has said nothing yet, since
// before the message that failed.
func (c conn) waitsAgain(ctx context.Context, messageID string) error {
	var id string
	var since, said, first *int64
	var from, seq int64
	var author campaign.Author
	err := c.one(ctx, `select s.id, s.waiting_since, m.at from sessions s join messages m on m.session_id = s.id
		where m.id = $1 and m.author = $2 and s.status = 'open' and s.mode = 'human'`+c.s.dialect.locked,
		[]any{messageID, string(campaign.AuthorOperator)}, &id, &since, &said)
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	err = c.one(ctx, `select author, at, seq from messages where session_id = $1 and author <> 'contact' and delivery <> 'failed' order by at desc, seq desc limit 1`,
		[]any{id}, &author, &from, &seq)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := c.one(ctx, `select min(at) from messages where session_id = $1 and author = 'contact' and (at > $2 or at = $2 and seq > $3)`, []any{id, from, seq}, &first); err != nil {
		return err
	}
	switch {
	case first != nil:
		since = first
	case author == campaign.AuthorOperator:
		since = nil
	case since == nil: // it was handed over, and nobody has answered since
		since = said
	}
	_, err = c.exec(ctx, `update sessions set waiting_since = $2 where id = $1`, id, since)
	return err
}
