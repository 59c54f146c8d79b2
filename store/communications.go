package store

import (
	"context"
	"fmt"

	"carillon/campaign"
)

// Communications lists the communications of a campaign in the order of their
// start dates.
func (s *Store) Communications(ctx context.Context, campaignID string, status campaign.CommunicationStatus, stage string, ch campaign.Channel, p Page) (List[CommunicationRow], error) {
	var q query
	q.where("m.campaign_id = ?", campaignID)
	q.equal("m.status", string(status))
	q.equal("m.stage", cut(stage))
	q.equal("m.channel", string(ch))
	items, err := list(ctx, s.read(), `select m.id, m.start_date, c.doc from communications m join contacts c on c.id = m.contact_id`,
		&q, order{columns: []string{"m.start_date", "m.id"}}, p, func(row scanner) (r CommunicationRow, at position, err error) {
			var id string
			var start int64
			var doc []byte
			if err = row.Scan(&id, &start, &doc); err != nil {
				return r, nil, err
			}
			contact, err := decode[campaign.Contact](doc)
			r.ContactID, r.ContactName = contact.ID, contact.Name
			if m := contact.Communication(id); m != nil {
				r.Communication = *m
			}
			return r, position{start, id}, err
		})
	if err != nil {
		return items, fmt.Errorf("list communications of campaign %s: %w", campaignID, err)
	}
	return items, nil
}
