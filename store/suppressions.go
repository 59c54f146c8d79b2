package store

import (
	"context"
	"errors"
	"strings"

	"carillon/campaign"
)

// Suppress adds a suppression; the first one of a person, address and channel stays.
func (s *Store) Suppress(ctx context.Context, v Suppression) ([]InboxEvent, error) {
	if v.ID == "" {
		v.ID = newID("sp_")
	}
	now := at(v.CreatedAt)
	rows := []suppressionJSON{{ID: v.ID, ExternalID: v.ExternalID, Address: address(v.Address), Channel: string(v.Channel), Reason: v.Reason, CreatedAt: micros(now), but: v.But}}
	var told []InboxEvent
	err := s.write(ctx, func(c conn) (err error) {
		if err = c.addSuppressions(ctx, rows); err != nil {
			return err
		}
		if told, err = c.endCovered(ctx, rows, nil, now); err != nil {
			return err
		}
		return c.addEvents(ctx, told)
	})
	return told, wrap(err, "suppress %s", v.ExternalID)
}

// address is an address as suppressions compare it: of a phone number with a +
// only the digits, because people write one number in many ways.
func address(text string) string {
	text = strings.ToLower(strings.TrimSpace(clean(text)))
	if !strings.HasPrefix(text, "+") || strings.Trim(text, "+0123456789 ()-./") != "" {
		return text
	}
	return "+" + digits(text)
}

// Suppressed returns why a person or address must not be contacted, or "".
func (s *Store) Suppressed(ctx context.Context, externalID string, ch campaign.Channel, to string) (string, error) {
	var reason string
	err := s.read().one(ctx, `select reason from suppressions
		where (external_id = $1 and external_id <> '' or address = $2 and address <> '') and channel in ('', $3)
		order by created_at, id limit 1`, []any{externalID, address(to), string(ch)}, &reason)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return reason, wrap(err, "read suppressions of %s", externalID)
}

// Suppressions lists suppressions, the newest first.
func (s *Store) Suppressions(ctx context.Context, p Page) (List[Suppression], error) {
	var q query
	items, err := list(ctx, s.read(), `select id, external_id, address, channel, reason, created_at from suppressions`, &q, newest("created_at"), p,
		func(row scanner) (v Suppression, at position, err error) {
			var created int64
			err = row.Scan(&v.ID, &v.ExternalID, &v.Address, &v.Channel, &v.Reason, &created)
			v.CreatedAt = fromMicros(created)
			return v, position{created, v.ID}, err
		})
	return items, wrap(err, "list suppressions")
}

// Unsuppress removes a suppression.
func (s *Store) Unsuppress(ctx context.Context, id string) error {
	n, err := s.direct().exec(ctx, `delete from suppressions where id = $1`, id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return wrap(err, "remove suppression %s", id)
}
