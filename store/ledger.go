package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
)

// ClaimSend inserts a send as sending before the provider is called, or claims
// again one that surely was not sent.
func (s *Store) ClaimSend(ctx context.Context, v Send, open *campaign.Session, limits *Limits) (Send, bool, error) {
	v.State, v.CreatedAt, v.SettledAt = SendSending, at(v.CreatedAt), nil
	claimed := false
	row := v
	err := s.write(ctx, func(c conn) error {
		n, err := c.exec(ctx, `insert into sends (id, contact_id, campaign_id, communication_id, session_id, integration_id, channel,
				state, address, payload_hash, correlation_key, provider_message_id, reason, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) 
			on conflict (id) do update set session_id = excluded.session_id, integration_id = excluded.integration_id,
				channel = excluded.channel, state = 'sending', address = excluded.address, payload_hash = excluded.payload_hash,
				correlation_key = excluded.correlation_key, provider_message_id = '', reason = '', settled_at = null,
				delivery = '', delivery_at = null, created_at = excluded.created_at
			where sends.state = 'retry'`,
			v.ID, v.ContactID, v.CampaignID, v.CommunicationID, v.SessionID, v.IntegrationID, string(v.Channel),
			v.State, v.Address, v.PayloadHash, v.CorrelationKey, v.ProviderMessageID, v.Reason, micros(v.CreatedAt))
		if err != nil {
			return err
		}
		if claimed = n == 1; !claimed {
			row, err = c.send(ctx, `id = $1`, v.ID)
			return err
		}
		row = v
		if err := c.guard(ctx, limits, v.CreatedAt); err != nil || open == nil { // refused, nothing of it stays
			return err
		}
		return c.openSession(ctx, *open)
	})
	if err != nil {
		return Send{}, false, fmt.Errorf("claim send %s: %w", v.ID, err)
	}
	return row, claimed, nil
}

// AgainSend says that a send of which nobody knew is made again now.
func (s *Store) AgainSend(ctx context.Context, id string, now time.Time) error {
	_, err := s.direct().exec(ctx, `update sends set created_at = $2 where id = $1 and state in ('sending', 'unknown')`, id, micros(now))
	return wrap(err, "send %s again", id)
}

func (c conn) send(ctx context.Context, where string, args ...any) (v Send, err error) {
	var created int64
	var settled *int64
	err = c.one(ctx, `select id, contact_id, campaign_id, communication_id, session_id, integration_id, channel, state, address,
			payload_hash, correlation_key, provider_message_id, reason, created_at, settled_at, delivery
		from sends where `+where+` order by created_at desc, id desc limit 1`, args,
		&v.ID, &v.ContactID, &v.CampaignID, &v.CommunicationID, &v.SessionID, &v.IntegrationID, &v.Channel, &v.State, &v.Address,
		&v.PayloadHash, &v.CorrelationKey, &v.ProviderMessageID, &v.Reason, &created, &settled, &v.Delivery)
	v.CreatedAt, v.SettledAt = fromMicros(created), fromMicrosPtr(settled)
	return v, err
}

// SettleSend says how a send ended, and so its message.
func (s *Store) SettleSend(ctx context.Context, id, state, providerMessageID, reason string, when time.Time) error {
	err := s.write(ctx, func(c conn) error {
		n, err := c.exec(ctx, `update sends set state = $2,
				provider_message_id = case when $3 = '' then provider_message_id else $3 end, reason = $4, settled_at = $5
			where id = $1 and (state = 'sending' or state = 'unknown' and $2 in ('sent', 'failed')
				or state = 'sent' and $2 = 'sent' and provider_message_id = '')`, // a report was faster than the answer
			id, state, providerMessageID, reason, micros(when))
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := c.send(ctx, `id = $1`, id)
			return err
		}
		as, why := state, reason
		switch state {
		case SendRetry:
			as = "pending"
		case SendSent:
			why = ""
		}
		err = c.markMessage(ctx, id, as, providerMessageID, why)
		if err != nil && !errors.Is(err, ErrNotFound) { // an opening is no message of a session
			return err
		}
		if providerMessageID == "" {
			return nil
		}
		_, err = c.rematch(ctx, `exists (select 1 from sends s where s.id = $1 and s.integration_id = e.integration_id and s.provider_message_id = e.provider_message_id)`,
			[]any{id}, at(when))
		return err
	})
	return wrap(err, "settle send %s", id)
}

// SendByCorrelation finds the send that a provider names by our key.
func (s *Store) SendByCorrelation(ctx context.Context, key string) (Send, error) {
	v, err := s.read().send(ctx, `correlation_key = $1 and correlation_key <> ''`, key)
	return v, wrap(err, "read send of correlation key %s", key)
}

// SendByProviderID finds the send that a provider names by its own id.
func (s *Store) SendByProviderID(ctx context.Context, integrationID, providerMessageID string) (Send, error) {
	v, err := s.read().send(ctx, `integration_id = $1 and provider_message_id = $2 and provider_message_id <> ''`, integrationID, providerMessageID)
	return v, wrap(err, "read send of provider message %s", providerMessageID)
}

// SendRow reads a send.
func (s *Store) SendRow(ctx context.Context, id string) (Send, error) {
	v, err := s.read().send(ctx, `id = $1`, id)
	return v, wrap(err, "read send %s", id)
}
