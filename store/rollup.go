package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"carillon/campaign"
)

// rollUpSize is how many deltas one transaction adds up: few enough that SQLite's
// only writer is not held for long.
const rollUpSize = 500

// tallyJSON is a row of tally_hours, or without the hour of tallies.
type tallyJSON struct {
	CampaignID string `json:"campaign_id"`
	Kind       string `json:"kind"`
	Hour       int64  `json:"hour"`
	Cell       string `json:"cell"`
	N          int    `json:"n"`
}

// RollUp adds up what writes have appended, in portions, until little is left.
// Workers may do it at the same time: each takes other deltas. A delta is gone in
// the transaction that adds it, so a crash neither loses nor doubles any.
func (s *Store) RollUp(ctx context.Context) error {
	for n := rollUpSize; n == rollUpSize; {
		err := s.write(ctx, func(c conn) (err error) {
			n, err = c.rollUp(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("roll up tallies: %w", err)
		}
	}
	return nil
}

// delta is what one write appended.
type delta struct {
	campaignID string
	at         time.Time
	tally      tally
}

func (c conn) rollUp(ctx context.Context) (int, error) {
	deltas, err := collect(ctx, c, `with taken as materialized (select seq from tally_deltas order by seq limit $1`+c.s.dialect.unclaimed+`)
		delete from tally_deltas where seq in (select seq from taken) returning campaign_id, at, cells`, []any{rollUpSize},
		func(row scanner) (d delta, err error) {
			var when int64
			var text []byte
			if err = row.Scan(&d.campaignID, &when, &text); err != nil {
				return d, err
			}
			d.at = fromMicros(when)
			d.tally, err = decodeTally(text)
			return d, err
		})
	if err != nil || len(deltas) == 0 {
		return 0, err
	}
	hours, zones := map[tallyJSON]int{}, map[string]*time.Location{}
	for _, d := range deltas {
		if zones[d.campaignID] == nil {
			if zones[d.campaignID], err = c.zone(ctx, d.campaignID); err != nil {
				return 0, err
			}
		}
		hour := micros(campaign.HourOf(d.at, zones[d.campaignID]))
		for cell, n := range d.tally {
			hours[tallyJSON{CampaignID: d.campaignID, Kind: string(cell.Kind), Hour: hour, Cell: cell.Text()}] += n
		}
	}
	return len(deltas), c.addTallies(ctx, hours)
}

// addTallies adds counts by the hour to the hours and to the totals, in the order
// of their keys, so that two that roll up do not wait for each other crosswise.
func (c conn) addTallies(ctx context.Context, hours map[tallyJSON]int) error {
	totals := map[tallyJSON]int{}
	for row, n := range hours {
		row.Hour = 0
		totals[row] += n
	}
	err := bulk(ctx, c, `insert into tallies (campaign_id, kind, cell, n) select campaign_id, kind, cell, n
		from `+c.s.dialect.rows("campaign_id text, kind text, cell text, n bigint")+`
		where exists (select 1 from campaigns k where k.id = x.campaign_id)
		on conflict (campaign_id, kind, cell) do update set n = tallies.n + excluded.n`, sortedTallies(totals))
	if err != nil {
		return err
	}
	return bulk(ctx, c, `insert into tally_hours (campaign_id, kind, hour, cell, n) select campaign_id, kind, hour, cell, n
		from `+c.s.dialect.rows("campaign_id text, kind text, hour bigint, cell text, n bigint")+`
		where exists (select 1 from campaigns k where k.id = x.campaign_id)
		on conflict (campaign_id, kind, hour, cell) do update set n = tally_hours.n + excluded.n`, sortedTallies(hours))
}

func sortedTallies(counts map[tallyJSON]int) []tallyJSON {
	var rows []tallyJSON
	for row, n := range counts {
		if row.N = n; n != 0 {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b tallyJSON) int {
		return cmp.Or(cmp.Compare(a.CampaignID, b.CampaignID), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Cell, b.Cell))
	})
	return rows
}

// zone is a campaign's time zone: its hours begin on the hour there. One that is
// deleted has none.
func (c conn) zone(ctx context.Context, campaignID string) (*time.Location, error) {
	found, err := collect(ctx, c, `select doc from campaigns where id = $1`, []any{campaignID}, scanDoc[campaign.Campaign])
	if err != nil || len(found) == 0 {
		return time.UTC, err
	}
	return found[0].Location(), nil
}
