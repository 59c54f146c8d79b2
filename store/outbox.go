package store

import (
	"context"
	"fmt"
)

// PutOutbox adds a message that left through the development provider, once for
// each correlation key.
func (s *Store) PutOutbox(ctx context.Context, m OutboxMessage) (OutboxMessage, error) {
	m.At = at(m.At)
	kept := m
	err := s.write(ctx, func(c conn) error {
		n, err := c.exec(ctx, `insert into outbox (id, at, channel, recipient, subject, body, payload, campaign_id, contact_id,
				communication_id, session_id, correlation_key, status)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing`,
			m.ID, micros(m.At), string(m.Channel), m.To, m.Subject, m.Body, rawOr(m.Payload, "{}"), m.CampaignID, m.ContactID,
			m.CommunicationID, m.SessionID, m.CorrelationKey, m.Status)
		if err != nil || n == 1 {
			kept = m
			return err
		}
		if m.CorrelationKey != "" {
			kept, err = c.outbox(ctx, `correlation_key = $1 and correlation_key <> ''`, m.CorrelationKey)
			return err
		}
		kept, err = c.outbox(ctx, `id = $1`, m.ID)
		return err
	})
	if err != nil {
		return OutboxMessage{}, fmt.Errorf("put message %s into the outbox: %w", m.ID, err)
	}
	return kept, nil
}

const outboxColumns = `id, at, channel, recipient, subject, body, payload, campaign_id, contact_id, communication_id, session_id, correlation_key, status`

func scanOutbox(row scanner) (m OutboxMessage, err error) {
	var when int64
	var payload []byte
	err = row.Scan(&m.ID, &when, &m.Channel, &m.To, &m.Subject, &m.Body, &payload, &m.CampaignID, &m.ContactID,
		&m.CommunicationID, &m.SessionID, &m.CorrelationKey, &m.Status)
	m.At, m.Payload = fromMicros(when), payload
	return m, err
}

func (c conn) outbox(ctx context.Context, where string, arg string) (OutboxMessage, error) {
	found, err := collect(ctx, c, `select `+outboxColumns+` from outbox where `+where, []any{arg}, scanOutbox)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return OutboxMessage{}, fmt.Errorf("read outbox message %s: %w", arg, err)
	}
	return found[0], nil
}

// OutboxByCorrelation finds the message with a correlation key.
func (s *Store) OutboxByCorrelation(ctx context.Context, key string) (OutboxMessage, error) {
	return s.read().outbox(ctx, `correlation_key = $1 and correlation_key <> ''`, key)
}

// OutboxMessage reads one message.
func (s *Store) OutboxMessage(ctx context.Context, id string) (OutboxMessage, error) {
	return s.read().outbox(ctx, `id = $1`, id)
}

// SetOutboxStatus says what became of a message.
func (s *Store) SetOutboxStatus(ctx context.Context, id, status string) error {
	n, err := s.direct().exec(ctx, `update outbox set status = $2 where id = $1`, id, status)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return wrap(err, "set status of outbox message %s", id)
}

// Outbox lists what left, the newest first; "" is every campaign, every contact.
func (s *Store) Outbox(ctx context.Context, campaignID, contactID string, p Page) (List[OutboxMessage], error) {
	var q query
	q.equal("campaign_id", campaignID)
	q.equal("contact_id", contactID)
	items, err := list(ctx, s.read(), `select `+outboxColumns+` from outbox`, &q, newest("at"), p,
		func(row scanner) (OutboxMessage, position, error) {
			m, err := scanOutbox(row)
			return m, position{micros(m.At), m.ID}, err
		})
	return items, wrap(err, "list the outbox")
}
