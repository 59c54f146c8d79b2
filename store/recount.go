package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
)

// Recount counts a campaign's contacts one by one and puts the result in the
// place of its tallies. It is for campaigns from before there were tallies, and for
// a doubt; contacts cannot be written meanwhile. What happened before is told from
// what each contact still knows, so a curve of the past may lose details.
func (s *Store) Recount(ctx context.Context, campaignID string) error {
	err := s.write(ctx, func(c conn) error { return c.recount(ctx, campaignID) })
	return wrap(err, "count contacts of campaign %s anew", campaignID)
}

// recountTodo counts the campaigns that were there before tallies were.
func (s *Store) recountTodo(ctx context.Context) error {
	ids, err := collect(ctx, s.read(), `select campaign_id from tally_todo order by campaign_id`, nil, scanText)
	if err != nil {
		return fmt.Errorf("read campaigns to count: %w", err)
	}
	for _, id := range ids {
		err := s.write(ctx, func(c conn) error {
			n, err := c.exec(ctx, `delete from tally_todo where campaign_id = $1`, id)
			if err != nil || n == 0 {
				return err // another starter has done it
			}
			return c.recount(ctx, id)
		})
		if err != nil {
			return fmt.Errorf("count contacts of campaign %s: %w", id, err)
		}
	}
	return nil
}

func (c conn) recount(ctx context.Context, campaignID string) error {
	if c.s.dialect.postgres() { // SQLite's transaction has locked everything already
		if _, err := c.exec(ctx, `lock table contacts in share row exclusive mode`); err != nil {
			return err
		}
	}
	for _, table := range []string{"tally_deltas", "tallies", "tally_hours"} {
		if _, err := c.exec(ctx, `delete from `+table+` where campaign_id = $1`, campaignID); err != nil {
			return err
		}
	}
	loc, err := c.zone(ctx, campaignID)
	if err != nil {
		return err
	}
	hours := map[tallyJSON]int{}
	for after := ""; ; {
		rows, err := collect(ctx, c, `select `+contactRowColumns+` from contacts c where c.campaign_id = $1 and c.id > $2 order by c.id limit 500`,
			[]any{campaignID, after}, scanContactRow)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return c.addTallies(ctx, hours)
		}
		after = rows[len(rows)-1].contact.ID
		if err := c.reachedBefore(ctx, rows); err != nil {
			return err
		}
		for i := range rows {
			r := &rows[i]
			add := func(when time.Time, cell campaign.Cell, n int) {
				hours[tallyJSON{CampaignID: campaignID, Kind: string(cell.Kind), Hour: micros(campaign.HourOf(when, loc)), Cell: cell.Text()}] += n
			}
			for _, p := range campaign.Past(&r.contact, r.cells(), fromMicrosPtr(r.launchedAt)) {
				add(p.Hour, p.Cell, p.N)
			}
		}
	}
}

// reachedBefore tells how far communications came from what was decided, and keeps
// it, with since when a contact is held.
func (c conn) reachedBefore(ctx context.Context, rows []contactRow) error {
	ids, decided := make([]string, len(rows)), map[string][]campaign.Decision{}
	for i := range rows {
		ids[i] = rows[i].contact.ID
	}
	err := c.each(ctx, `select `+decisionColumns+` from decisions where `+c.s.dialect.in("contact_id", "$1")+` and kind in ('sent', 'delivered', 'read', 'replied')`,
		[]any{texts(ids)}, func(row scanner) error {
			d, _, err := scanDecision(row)
			decided[d.ContactID] = append(decided[d.ContactID], d.Decision)
			return err
		})
	if err != nil {
		return err
	}
	type reachedJSON struct {
		ID        string           `json:"id"`
		Reached   campaign.Reached `json:"reached"`
		HeldSince *int64           `json:"held_since"`
	}
	var changed []reachedJSON
	for i := range rows {
		r := &rows[i]
		if now := r.reached.Advance(&r.contact, decided[r.contact.ID]); now != r.reached || r.contact.Held != nil {
			r.reached = now
			j := reachedJSON{ID: r.contact.ID, Reached: now}
			if r.contact.Held != nil {
				j.HeldSince = microsPtr(&r.contact.Held.Since)
			}
			changed = append(changed, j)
		}
	}
	return bulk(ctx, c, `update contacts set reached = x.reached, held_since = x.held_since from `+
		c.s.dialect.rows("id text, reached text, held_since bigint")+` where contacts.id = x.id`, changed)
}

// RecountAll counts every campaign's contacts anew.
func (s *Store) RecountAll(ctx context.Context) error {
	ids, err := collect(ctx, s.read(), `select id from campaigns order by id`, nil, scanText)
	if err != nil {
		return fmt.Errorf("read campaigns: %w", err)
	}
	for _, id := range ids {
		err = errors.Join(err, s.Recount(ctx, id))
	}
	return err
}
