package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
)

// BeginRun hands a contact to a run of its workflow.
func (s *Store) BeginRun(ctx context.Context, contactID, runID string, now time.Time) (campaign.Contact, error) {
	now = at(now)
	var after campaign.Contact
	err := s.write(ctx, func(c conn) error {
		r, err := c.lockContact(ctx, contactID)
		if err != nil {
			return err
		}
		before := r.contact.Clone()
		changed, err := c.enterRun(ctx, &r, runID, now)
		if err != nil {
			return err
		}
		if r.contact.StartedAt == nil {
			r.contact.StartedAt, changed = &now, true
		}
		if r.contact.Status == campaign.ContactPending {
			r.contact.Status, changed = campaign.ContactActive, true
		}
		if r.launchedAt == nil {
			r.launchedAt, changed = microsPtr(&now), true
		}
		if changed {
			r.touch(now)
			err = c.saveContact(ctx, &before, &r, nil)
		}
		after = r.contact
		return err
	})
	if err != nil {
		return campaign.Contact{}, fmt.Errorf("begin run of contact %s: %w", contactID, err)
	}
	return after, nil
}

// enterRun makes the run the newest one if it was never seen, and forgets what
// older ones had committed; ErrStale if a newer one is there.
func (c conn) enterRun(ctx context.Context, r *contactRow, runID string, now time.Time) (changed bool, err error) {
	if runID == r.runID {
		return false, nil
	}
	var generation int64
	err = c.one(ctx, `select generation from contact_runs where contact_id = $1 and run_id = $2`, []any{r.contact.ID, runID}, &generation)
	switch {
	case err == nil && generation < r.generation:
		return false, ErrStale
	case err == nil || !errors.Is(err, ErrNotFound):
		return false, err
	}
	r.generation++
	r.runID, r.recorded = runID, nothingRecorded
	if _, err := c.exec(ctx, `insert into contact_runs (contact_id, run_id, generation, begun_at) values ($1, $2, $3, $4)`,
		r.contact.ID, runID, r.generation, micros(now)); err != nil {
		return false, err
	}
	if r.generation > 1 {
		_, err = c.exec(ctx, `delete from memos where contact_id = $1 and run_id <> $2 and run_id not like $2 || '/%'
			and run_id not like 'turn/%'`, r.contact.ID, runID)
		return true, err
	}
	return true, nil
}

// Record writes a run's progress in one transaction.
func (s *Store) Record(ctx context.Context, w Recording) error {
	w.Now = at(w.Now)
	err := s.write(ctx, func(c conn) error {
		r, err := c.lockContact(ctx, w.ContactID)
		if err != nil {
			return err
		}
		if w.Contact.ID != w.ContactID || w.Contact.CampaignID != r.contact.CampaignID {
			return fmt.Errorf("%w: the record is of contact %s", ErrConflict, w.Contact.ID)
		}
		if _, err := c.enterRun(ctx, &r, w.RunID, w.Now); err != nil {
			return err
		}
		if w.Revision <= r.recorded {
			return nil
		}
		if r.recorded > w.After { // an attempt that died wrote more than the run remembers
			if _, err := c.exec(ctx, `delete from decisions where contact_id = $1 and generation = $2 and recorded > $3`,
				w.ContactID, r.generation, w.After); err != nil {
				return err
			}
		}
		before := r.contact
		r.contact, r.recorded = w.Contact.Clone(), w.Revision
		r.contact.CreatedAt = before.CreatedAt
		if r.contact.StartedAt == nil {
			r.contact.StartedAt = before.StartedAt
		}
		if r.launchedAt == nil {
			r.launchedAt = microsPtr(&w.Now)
		}
		r.touch(w.Now)
		if err := c.saveContact(ctx, &before, &r, w.Decisions); err != nil {
			return err
		}
		if err := c.takeEvents(ctx, w.Taken, w.Now); err != nil {
			return err
		}
		for _, id := range w.Unmatched {
			if err := c.markUnmatched(ctx, id, "the contact is "+string(w.Contact.Status)); err != nil {
				return err
			}
		}
		for _, id := range w.Reopened {
			if err := c.reopenSession(ctx, id); err != nil {
				return err
			}
		}
		if err := c.withdrawUnsent(ctx, &before, &w.Contact); err != nil {
			return err
		}
		for i := range w.Decisions {
			d := &w.Decisions[i]
			if id, ok := d.Data["message_id"].(string); ok && d.Kind == campaign.DecisionFailed {
				if err := c.failMessage(ctx, id, d.Summary); err != nil {
					return err
				}
			}
		}
		if w.Contact.Status.Ended() && !before.Status.Ended() {
			if err := c.closeStray(ctx, &w); err != nil {
				return err
			}
		}
		for _, settled := range w.Settled {
			if err := c.settleRow(ctx, settled.ImportID, settled); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record run of contact %s: %w", w.ContactID, err)
	}
	return nil
}

// DropMemos drops what ended contacts committed, in portions. Record must not: a
// workflow task that dies after its last record is executed again and needs them.
func (s *Store) DropMemos(ctx context.Context, before time.Time) error {
	for n := int64(1); n > 0; {
		var err error
		n, err = s.direct().exec(ctx, `delete from memos where contact_id in (select m.contact_id from memos m
			join contacts c on c.id = m.contact_id where c.ended_at is not null and c.updated_at < $1 limit 500)`, micros(before))
		if err != nil {
			return fmt.Errorf("drop memos: %w", err)
		}
	}
	return nil
}

// LostRun says on the contact that its run is gone; one that never began has no id yet.
func (s *Store) LostRun(ctx context.Context, contactID, runID string, a campaign.Attention, d campaign.Decision) error {
	err := s.write(ctx, func(c conn) error {
		r, err := c.lockContact(ctx, contactID)
		if err != nil || r.contact.Status.Ended() || r.contact.Attention.Holds() || r.runID != "" && r.runID != runID {
			return err
		}
		before := r.contact.Clone()
		if was := r.contact.Attention; was != nil { // an answer that nobody may have heard still has to be looked at
			first := *was
			first.More = nil
			a.More = append([]campaign.Attention{first}, was.More...)
		}
		r.contact.Status, r.contact.Attention, r.contact.NextActionAt = campaign.ContactNeedsAttention, &a, nil
		r.touch(a.Since)
		return c.saveContact(ctx, &before, &r, []campaign.Decision{d})
	})
	return wrap(err, "record the lost run of contact %s", contactID)
}

// RunOf returns a contact's newest run.
func (s *Store) RunOf(ctx context.Context, contactID string) (runID string, launched bool, err error) {
	var at *int64
	err = s.read().one(ctx, `select run_id, launched_at from contacts where id = $1`, []any{contactID}, &runID, &at)
	return runID, at != nil, wrap(err, "read the run of contact %s", contactID)
}

// Memo returns what a step of a run committed, if it did.
func (s *Store) Memo(ctx context.Context, contactID, runID string, step int64) (json.RawMessage, bool, error) {
	out, err := s.read().memo(ctx, contactID, runID, step)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read memo of contact %s: %w", contactID, err)
	}
	return out, true, nil
}

func (c conn) memo(ctx context.Context, contactID, runID string, step int64) (json.RawMessage, error) {
	var out []byte
	err := c.one(ctx, `select output from memos where contact_id = $1 and run_id = $2 and step = $3`, []any{contactID, runID, step}, &out)
	return out, err
}

// PutMemo commits what a step of a run decided, once.
func (s *Store) PutMemo(ctx context.Context, contactID, runID string, step int64, out json.RawMessage, run *campaign.StrategyRun) (json.RawMessage, error) {
	kept := out
	err := s.write(ctx, func(c conn) error {
		n, err := c.exec(ctx, `insert into memos (contact_id, run_id, step, output) values ($1, $2, $3, $4) on conflict do nothing`,
			contactID, runID, step, rawOr(out, "null"))
		if err != nil {
			return err
		}
		if n == 0 {
			kept, err = c.memo(ctx, contactID, runID, step)
			return err
		}
		if run != nil {
			return c.addRuns(ctx, []campaign.StrategyRun{*run})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("save memo of contact %s: %w", contactID, err)
	}
	return kept, nil
}
