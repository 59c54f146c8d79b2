package store

import "context"

// AddHold adds a hold; the same one again moves its time.
func (s *Store) AddHold(ctx context.Context, h HeldContact) error {
	_, err := s.direct().exec(ctx, `insert into holds (contact_id, communication_id, cause, ref, campaign_id, at)
		values ($1, $2, $3, $4, $5, $6)
		on conflict (contact_id, communication_id, cause, ref) do update set at = excluded.at`,
		h.ContactID, h.CommunicationID, h.Cause, h.Ref, h.CampaignID, micros(h.At))
	return wrap(err, "hold contact %s", h.ContactID)
}

// DropHold drops a hold, unless it was added again since it was read.
func (s *Store) DropHold(ctx context.Context, h HeldContact) error {
	_, err := s.direct().exec(ctx, `delete from holds where contact_id = $1 and communication_id = $2 and cause = $3 and ref = $4 and at <= $5`,
		h.ContactID, h.CommunicationID, h.Cause, h.Ref, micros(h.At))
	return wrap(err, "drop hold of contact %s", h.ContactID)
}

// Holds pages through the holds of a cause by contact. What a page's end cuts off
// from a contact is found by the next pass: passes go on until none is left.
func (s *Store) Holds(ctx context.Context, cause, ref, after string, limit int) ([]HeldContact, error) {
	page, err := collect(ctx, s.read(), `select contact_id, campaign_id, communication_id, cause, ref, at from holds
		where cause = $1 and ref = $2 and contact_id > $3 order by contact_id, communication_id limit $4`, []any{cause, ref, after, limit},
		func(row scanner) (h HeldContact, err error) {
			var when int64
			err = row.Scan(&h.ContactID, &h.CampaignID, &h.CommunicationID, &h.Cause, &h.Ref, &when)
			h.At = fromMicros(when)
			return h, err
		})
	return page, wrap(err, "read holds of %s %s", cause, ref)
}
