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
	return c.seeMessage(ctx, m.SessionID, micros(m.At))
}

// MoveMessage puts a message into another session, if it is there at all.
func (s *Store) MoveMessage(ctx context.Context, id, toSession string) error {
	err := s.write(ctx, func(c conn) error {
		var when int64
		err := c.one(ctx, `select at from messages where id = $1`+s.dialect.locked, []any{id}, &when)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := c.exec(ctx, `update messages set session_id = $2 where id = $1`, id, toSession); err != nil {
			return err
		}
		return c.seeMessage(ctx, toSession, when)
	})
	return wrap(err, "move message %s", id)
}

// seeMessage moves a session's last_message_at forward.
func (c conn) seeMessage(ctx context.Context, sessionID string, when int64) error {
	_, err := c.exec(ctx, `update sessions set last_message_at = $2 where id = $1 and (last_message_at is null or last_message_at < $2)`,
		sessionID, when)
	return err
}

// deliveries are how far a message has come, in order: reports of it come in any
// order, and an earlier one changes nothing.
var deliveries = []string{"", "pending", "unknown", "sent", "failed", "delivered", "read"}

// MarkMessage sets how far a message has come and the provider's id of it, if given.
func (s *Store) MarkMessage(ctx context.Context, id, delivery, providerMessageID string) error {
	if err := s.write(ctx, func(c conn) error { return c.markMessage(ctx, id, delivery, providerMessageID) }); err != nil {
		return fmt.Errorf("mark message %s: %w", id, err)
	}
	return nil
}

func (c conn) markMessage(ctx context.Context, id, delivery, providerMessageID string) error {
	var was, provider string
	err := c.one(ctx, `select delivery, provider_message_id from messages where id = $1`+c.s.dialect.locked, []any{id}, &was, &provider)
	if err != nil {
		return err
	}
	if slices.Index(deliveries, delivery) < slices.Index(deliveries, was) {
		delivery = was
	}
	if providerMessageID == "" {
		providerMessageID = provider
	}
	_, err = c.exec(ctx, `update messages set delivery = $2, provider_message_id = $3 where id = $1`, id, delivery, providerMessageID)
	return err
}
