package store

import (
	"context"
	"time"

	"carillon/campaign"
)

// Unfinished lists imports that a process may have left behind.
func (s *Store) Unfinished(ctx context.Context, before time.Time) ([]UnfinishedImport, error) {
	list, err := collect(ctx, s.read(), `select id, status, chunks, started_at from imports
		where status in ($1, $2) and started_at < $3 order by started_at limit 100`,
		[]any{campaign.ImportReceiving, campaign.ImportProcessing, micros(at(before))},
		func(row scanner) (i UnfinishedImport, err error) {
			var began int64
			err = row.Scan(&i.ID, &i.Status, &i.Chunks, &began)
			i.Began = fromMicros(began)
			return i, err
		})
	return list, wrap(err, "read unfinished imports")
}

// HoldCauses lists what holds contacts.
func (s *Store) HoldCauses(ctx context.Context) ([]HeldContact, error) {
	list, err := collect(ctx, s.read(), `select cause, ref, min(campaign_id), min(at) from holds group by cause, ref`, nil,
		func(row scanner) (h HeldContact, err error) {
			var when int64
			err = row.Scan(&h.Cause, &h.Ref, &h.CampaignID, &when)
			h.At = fromMicros(when)
			return h, err
		})
	return list, wrap(err, "read causes of holds")
}
