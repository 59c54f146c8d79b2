package store

import (
	"context"
	"time"

	"carillon/campaign"
)

// maxDeltas is how many deltas of a campaign a reader adds up by itself; where
// there are more, because no worker runs, it has them rolled up.
const maxDeltas = 5000

// tallyRow is a row of what a reader adds up: a total (Hour zero) or the change
// of one hour.
type tallyRow struct {
	hour time.Time
	cell campaign.Cell
	n    int
}

// eachTally visits what there is now (total) and what changed in which hour, in
// one statement, so that a roll-up in between changes nothing. Of the hours only
// those the filter says are read; deltas that are not rolled up come as both.
func (c conn) eachTally(ctx context.Context, campaignID string, loc *time.Location, totals, hours string, args []any, visit func(r tallyRow, total bool)) (deltas int, err error) {
	query := `select 0 as source, kind, 0 as at, cell, n from tallies where campaign_id = $1 and ` + totals + `
		union all select 1, kind, hour, cell, n from tally_hours where campaign_id = $1 and ` + hours + `
		union all select 2, '', at, cells, 0 from tally_deltas where campaign_id = $1`
	err = c.each(ctx, query, append([]any{campaignID}, args...), func(row scanner) error {
		var source, n int
		var when int64
		var kind campaign.CellKind
		var text []byte
		if err := row.Scan(&source, &kind, &when, &text, &n); err != nil {
			return err
		}
		if source < 2 {
			visit(tallyRow{fromMicros(when), campaign.ParseCell(kind, string(text)), n}, source == 0)
			return nil
		}
		deltas++
		t, err := decodeTally(text)
		hour := campaign.HourOf(fromMicros(when), loc)
		for cell, n := range t {
			visit(tallyRow{hour, cell, n}, true)
			visit(tallyRow{hour, cell, n}, false)
		}
		return err
	})
	return deltas, err
}

// Tally reads what a campaign's contacts and communications come to, and how it
// changed from a moment on. It reads no contact.
func (s *Store) Tally(ctx context.Context, campaignID string, from, to time.Time) (campaign.Tally, error) {
	if to.IsZero() {
		to = time.Unix(1<<40, 0)
	}
	t, deltas, err := s.tally(ctx, campaignID, from, to)
	if err == nil && deltas > maxDeltas {
		if err = s.RollUp(ctx); err == nil {
			t, _, err = s.tally(ctx, campaignID, from, to)
		}
	}
	return t, wrap(err, "read tallies of campaign %s", campaignID)
}

func (s *Store) tally(ctx context.Context, campaignID string, from, to time.Time) (campaign.Tally, int, error) {
	out := campaign.Tally{Cells: map[campaign.Cell]int{}}
	loc, err := s.read().zone(ctx, campaignID)
	if err != nil {
		return out, 0, err
	}
	changes := map[campaign.HourCell]int{}
	deltas, err := s.read().eachTally(ctx, campaignID, loc, `true`,
		`(kind = 'contact' and hour >= $2 or kind in ('communication', 'label', 'channel', 'planned', 'launched') and hour >= $3)`,
		[]any{micros(from), micros(to)}, func(r tallyRow, total bool) {
			later := !r.hour.Before(to)
			switch {
			case total:
				out.Cells[r.cell] += r.n
			case later: // as it was before
				out.Cells[r.cell] -= r.n
			case r.cell.Kind == campaign.CellContact && !r.hour.Before(from):
				changes[campaign.HourCell{Hour: r.hour, Cell: r.cell}] += r.n
			}
		})
	if err != nil {
		return out, 0, err
	}
	for cell, n := range out.Cells {
		if n == 0 {
			delete(out.Cells, cell)
		}
	}
	for at, n := range changes {
		if n != 0 {
			out.Changes = append(out.Changes, campaign.HourChange{HourCell: at, N: n})
		}
	}
	out.StageIDs, err = s.StageNames(ctx, campaignID)
	return out, deltas, err
}

// StageNames are the ids of a campaign's stages by every name they have had.
func (s *Store) StageNames(ctx context.Context, campaignID string) (map[string]string, error) {
	ids := map[string]string{}
	err := s.read().each(ctx, `select name, stage_id from stage_names where campaign_id = $1`, []any{campaignID}, func(row scanner) error {
		var name, id string
		err := row.Scan(&name, &id)
		ids[name] = id
		return err
	})
	return ids, wrap(err, "read stages' names of campaign %s", campaignID)
}

// CampaignProgress counts the contacts of a campaign, from its tallies.
func (s *Store) CampaignProgress(ctx context.Context, id string) (Progress, error) {
	p := Progress{ByStatus: map[campaign.ContactStatus]int{}}
	deltas, err := s.read().eachTally(ctx, id, time.UTC, `kind in ('contact', 'planned', 'launched')`, `false`, nil, func(r tallyRow, total bool) {
		switch {
		case !total:
		case r.cell.Kind == campaign.CellContact:
			p.Total += r.n
			p.ByStatus[campaign.ContactStatus(r.cell.Status)] += r.n
		case r.cell.Kind == campaign.CellPlanned:
			p.Planned += r.n
		case r.cell.Kind == campaign.CellLaunched:
			p.Launched += r.n
		}
	})
	if err == nil && deltas > maxDeltas {
		err = s.RollUp(ctx)
	}
	for status, n := range p.ByStatus {
		if n == 0 {
			delete(p.ByStatus, status)
		}
	}
	var last *int64
	if err == nil { // one look at the end of contacts_ended
		err = s.read().one(ctx, `select max(ended_at) from contacts where campaign_id = $1 and ended_at is not null`, []any{id}, &last)
	}
	p.LastEnd = fromMicrosPtr(last)
	return p, wrap(err, "count contacts of campaign %s", id)
}

// TallyBegin returns the first hour something changed in.
func (s *Store) TallyBegin(ctx context.Context, campaignID string) (time.Time, error) {
	var hour, delta *int64
	err := s.read().one(ctx, `select (select min(hour) from tally_hours where campaign_id = $1 and kind = 'contact'),
		(select min(at) from tally_deltas where campaign_id = $1)`, []any{campaignID}, &hour, &delta)
	if hour == nil || delta != nil && *delta < *hour {
		hour = delta
	}
	if err != nil || hour == nil {
		return time.Time{}, wrap(err, "read tallies of campaign %s", campaignID)
	}
	return fromMicros(*hour), nil
}
