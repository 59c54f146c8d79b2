package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"carillon/campaign"
)

// launchable is what is claimed of contacts c; the launcher's index has it.
const launchable = `c.launched_at is null and c.planned and not c.paused and c.status in ('pending', 'active')`

// Launchable says whether a campaign runs and has a contact to launch.
func (s *Store) Launchable(ctx context.Context, campaignID string) (bool, error) {
	return s.exists(ctx, `select 1 from contacts c join campaigns k on k.id = c.campaign_id
		where c.campaign_id = $1 and k.status = 'running' and `+launchable, campaignID)
}

// Unended says whether a campaign has a contact that has not ended.
func (s *Store) Unended(ctx context.Context, campaignID string) (bool, error) {
	return s.exists(ctx, `select 1 from contacts c where c.campaign_id = $1 and c.status in ('pending', 'active', 'needs_attention')`, campaignID)
}

func (s *Store) exists(ctx context.Context, query, campaignID string) (bool, error) {
	var n int
	err := s.read().one(ctx, `select count(*) from (`+query+` limit 1) as x`, []any{campaignID}, &n)
	return n > 0, wrap(err, "look for contacts of campaign %s", campaignID)
}

// ClaimLaunch marks contacts of a running campaign as started.
func (s *Store) ClaimLaunch(ctx context.Context, campaignID string, limit int, now time.Time) ([]campaign.Contact, error) {
	now = at(now)
	claimed := []campaign.Contact{}
	err := s.write(ctx, func(c conn) error {
		claimed = claimed[:0]
		var status campaign.Status
		err := c.one(ctx, `select status from campaigns where id = $1`, []any{campaignID}, &status)
		if err != nil || status != campaign.Running {
			return err
		}
		rows, err := collect(ctx, c, `select `+contactRowColumns+` from contacts c
			where c.campaign_id = $1 and `+launchable+`
			order by c.id limit $2`+s.dialect.locked, []any{campaignID, limit}, scanContactRow)
		if err != nil {
			return err
		}
		var changed []contactRow
		var changes []contactChange
		for i := range rows {
			r := &rows[i]
			if r.contact.StartedAt == nil {
				before := r.contact.Clone()
				r.contact.StartedAt, r.contact.Status = &now, campaign.ContactActive
				r.touch(now)
				changed, changes = append(changed, *r), append(changes, contactChange{&before, &r.contact, r})
			}
			claimed = append(claimed, r.contact)
		}
		if err := c.updateContacts(ctx, changed); err != nil {
			return err
		}
		return c.tallyChanges(ctx, campaignID, changes, now)
	})
	if err != nil {
		return nil, fmt.Errorf("claim contacts of campaign %s: %w", campaignID, err)
	}
	return claimed, nil
}

// ConfirmLaunch says that the contacts' workflows were started.
func (s *Store) ConfirmLaunch(ctx context.Context, contactIDs []string, now time.Time) error {
	err := s.write(ctx, func(c conn) error {
		of, err := collect(ctx, c, `update contacts set launched_at = $2 where launched_at is null and `+s.dialect.in("id", "$1")+` returning campaign_id`,
			[]any{texts(contactIDs), micros(now)}, scanText)
		if err != nil {
			return err
		}
		launched := map[string]int{}
		for _, id := range of {
			launched[id]++
		}
		for _, id := range slices.Sorted(maps.Keys(launched)) {
			if err := c.appendTally(ctx, id, tally{{Kind: campaign.CellLaunched}: launched[id]}, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("confirm launch of %d contacts: %w", len(contactIDs), err)
	}
	return nil
}

// StopPending ends the contacts that have no workflow, in portions, and returns
// how many it ended.
func (s *Store) StopPending(ctx context.Context, campaignID string, now time.Time) (int, error) {
	now = at(now)
	for total := 0; ; {
		n := 0
		err := s.write(ctx, func(c conn) error {
			rows, err := collect(ctx, c, `select `+contactRowColumns+` from contacts c
				where c.campaign_id = $1 and c.launched_at is null and c.status in ('pending', 'active', 'needs_attention')
				order by c.id limit 500`+s.dialect.locked, []any{campaignID}, scanContactRow)
			if err != nil {
				return err
			}
			n = len(rows)
			return c.stopContacts(ctx, campaignID, rows, now)
		})
		if err != nil {
			return total, fmt.Errorf("stop pending contacts of campaign %s: %w", campaignID, err)
		}
		if total += n; n == 0 {
			return total, nil
		}
	}
}

func (c conn) stopContacts(ctx context.Context, campaignID string, rows []contactRow, now time.Time) error {
	changes := make([]contactChange, len(rows))
	var decisions []decisionJSON
	for i := range rows {
		r := &rows[i]
		before := r.contact.Clone()
		r.contact.Status, r.contact.EndedAt, r.contact.NextActionAt, r.contact.Idle = campaign.ContactStopped, &now, nil, false
		for j := range r.contact.Communications {
			if m := &r.contact.Communications[j]; m.Status.Status == campaign.CommunicationPlanned {
				m.Status = campaign.StatusAt{Status: campaign.CommunicationCanceled, At: now, Reason: "stopped"}
			}
		}
		r.touch(now)
		changes[i] = contactChange{&before, &r.contact, r}
		d, err := decisionRows(r, []campaign.Decision{{At: now, Kind: campaign.DecisionStopped, Summary: "Stopped before it began", Reason: "campaign_stopped"}})
		if err != nil {
			return err
		}
		decisions = append(decisions, d...)
	}
	if err := c.updateContacts(ctx, rows); err != nil {
		return err
	}
	if err := c.project(ctx, campaignID, changes, now); err != nil {
		return err
	}
	return c.addDecisions(ctx, decisions)
}

// ActiveIDs pages through the contacts whose workflow is open, of one campaign or
// of all ("").
func (s *Store) ActiveIDs(ctx context.Context, campaignID, after string, limit int) ([]string, error) {
	var ids []string
	for _, status := range []campaign.ContactStatus{campaign.ContactActive, campaign.ContactNeedsAttention} {
		var q query
		q.equal("campaign_id", campaignID)
		q.where("status = ? and id > ? and launched_at is not null", string(status), after)
		some, err := collect(ctx, s.read(), `select id from contacts`+q.clause()+` order by id`+q.bind(` limit ?`, limit), q.args, scanText)
		if err != nil {
			return nil, fmt.Errorf("list active contacts: %w", err)
		}
		ids = append(ids, some...)
	}
	slices.Sort(ids)
	return ids[:min(limit, len(ids))], nil
}
