package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carillon/campaign"
)

// AddMessage adds a message to its session; one that is there already stays.
func (s *Store) AddMessage(ctx context.Context, m campaign.Message) error {
	if err := s.write(ctx, func(c conn) error { return c.addMessage(ctx, m) }); err != nil {
		return fmt.Errorf("add message %s: %w", m.ID, err)
	}
	return nil
}

func (c conn) addMessage(ctx context.Context, m campaign.Message) error {
	m.At = at(m.At)
	// An opening is written after it was sent; its provider may have told more of it by then.
	n, err := c.exec(ctx, `insert into messages (id, session_id, author, content, at, delivery, provider_message_id)
		values ($1, $2, $3, $4, $5, coalesce((select case delivery when 'bounced' then 'failed' else delivery end from sends where id = $1 and delivery <> ''), $6), $7)
		on conflict do nothing`,
		m.ID, m.SessionID, string(m.Author), m.Content, micros(m.At), m.Delivery, m.ProviderMessageID)
	if err != nil || n == 0 {
		return err
	}
	return c.seeMessage(ctx, m.SessionID, m.Author, micros(m.At))
}

// MoveMessage puts a message into another session, if it is there at all.
func (s *Store) MoveMessage(ctx context.Context, id, toSession string) error {
	err := s.write(ctx, func(c conn) error {
		var when int64
		var author campaign.Author
		err := c.one(ctx, `select at, author from messages where id = $1`+s.dialect.locked, []any{id}, &when, &author)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := c.exec(ctx, `update messages set session_id = $2 where id = $1`, id, toSession); err != nil {
			return err
		}
		return c.seeMessage(ctx, toSession, author, when)
	})
	return wrap(err, "move message %s", id)
}

// seeMessage moves a session's last_message_at forward, and its wait. What the contact says
// waits for a person who has the session, until they answer; where the answer fails, see waitsAgain.
func (c conn) seeMessage(ctx context.Context, sessionID string, author campaign.Author, when int64) error {
	waiting := `waiting_since`
	switch author {
	case campaign.AuthorContact:
		waiting = `case when mode = 'human' then coalesce(waiting_since, $2) end`
	case campaign.AuthorOperator:
		waiting = `null`
	case campaign.AuthorAgent:
	}
	_, err := c.exec(ctx, `update sessions set waiting_since = `+waiting+`,
		due_at = case when timeout > 0 and (last_message_at is null or last_message_at < $2) then $2 + timeout else due_at end,
		last_message_at = case when last_message_at is null or last_message_at < $2 then $2 else last_message_at end where id = $1`, sessionID, when)
	return err
}

// deliveries are how far a message has come, in order: reports of it come in any
// order, and an earlier one changes nothing.
var deliveries = []string{"", "pending", "unknown", "sent", "failed", "delivered", "read"}

// MarkMessage sets how far a message has come, the provider's id of it, if given,
// and why it came no further.
func (s *Store) MarkMessage(ctx context.Context, id, delivery, providerMessageID, reason string) error {
	if err := s.write(ctx, func(c conn) error { return c.markMessage(ctx, id, delivery, providerMessageID, reason) }); err != nil {
		return fmt.Errorf("mark message %s: %w", id, err)
	}
	return nil
}

func (c conn) markMessage(ctx context.Context, id, delivery, providerMessageID, reason string) error {
	var was, provider, why string
	err := c.one(ctx, `select delivery, provider_message_id, reason from messages where id = $1`+c.s.dialect.locked, []any{id}, &was, &provider, &why)
	if err != nil {
		return err
	}
	if slices.Index(deliveries, delivery) < slices.Index(deliveries, was) {
		delivery, reason = was, why
	}
	if providerMessageID == "" {
		providerMessageID = provider
	}
	_, err = c.exec(ctx, `update messages set delivery = $2, provider_message_id = $3, reason = $4 where id = $1`, id, delivery, providerMessageID, cut(reason))
	if err != nil || (was == "failed") == (delivery == "failed") {
		return err
	}
	return c.waitsAgain(ctx, id)
}

// RenewMessage has a message wait for its next attempt.
func (s *Store) RenewMessage(ctx context.Context, id string) error {
	err := s.write(ctx, func(c conn) error {
		n, err := c.exec(ctx, `update messages set delivery = 'pending', reason = '' where id = $1 and delivery in ('failed', 'unknown')`, id)
		if err != nil || n == 0 {
			return err
		}
		return c.waitsAgain(ctx, id)
	})
	return wrap(err, "renew message %s", id)
}

// failMessage ends a message that its workflow gave up, with what kept it waiting.
func (c conn) failMessage(ctx context.Context, id, reason string) error {
	n, err := c.exec(ctx, `update messages set delivery = 'failed', reason = case when reason = '' then $2 else reason end
		where id = $1 and author <> 'contact' and delivery in ('', 'pending')`, id, cut(reason))
	if err != nil || n == 0 {
		return err
	}
	return c.waitsAgain(ctx, id)
}
