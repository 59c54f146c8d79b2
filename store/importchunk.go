package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// ExistingContacts returns which of the ids exist, with what decides whether a
// row may be merged.
func (s *Store) ExistingContacts(ctx context.Context, campaignID string, ids []string) (map[string]Existing, error) {
	found := make(map[string]Existing, len(ids))
	err := s.read().each(ctx, `select `+contactRowColumns+` from contacts c where c.campaign_id = $2 and `+s.dialect.in("c.id", "$1"),
		[]any{texts(ids), campaignID}, func(row scanner) error {
			r, err := scanContactRow(row)
			found[r.contact.ID] = Existing{Contact: r.contact, Revision: r.revision, Workflow: r.contact.StartedAt != nil}
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read contacts of campaign %s: %w", campaignID, err)
	}
	return found, nil
}

// CommitChunk writes what one chunk of an import decided, or nothing of it.
func (s *Store) CommitChunk(ctx context.Context, w ChunkWrite) (conflicts []string, err error) {
	w.Now, w.Contacts = at(w.Now), slices.Clone(w.Contacts)
	slices.SortFunc(w.Contacts, func(a, b ContactWrite) int { return cmp.Compare(a.Contact.ID, b.Contact.ID) })
	err = s.write(ctx, func(c conn) error {
		conflicts, err = c.commitChunk(ctx, &w)
		if errors.Is(err, ErrConflict) {
			return errAgain // somebody inserted one of our new contacts: look again
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("commit chunk %d of import %s: %w", w.Chunk, w.ImportID, err)
	}
	return conflicts, nil
}

func (c conn) commitChunk(ctx context.Context, w *ChunkWrite) (conflicts []string, err error) {
	var done bool
	var lines []byte
	var campaignID string
	err = c.one(ctx, `select campaign_id from imports where id = $1`, []any{w.ImportID}, &campaignID)
	if err != nil {
		return nil, err
	}
	err = c.one(ctx, `select done, lines from import_chunks where import_id = $1 and chunk = $2`+c.s.dialect.locked,
		[]any{w.ImportID, w.Chunk}, &done, &lines)
	if err != nil || done {
		return nil, err
	}
	existing, err := c.lockContacts(ctx, w.Contacts)
	if err != nil {
		return nil, err
	}
	for _, one := range w.Contacts {
		r, ok := existing[one.Contact.ID]
		if ok != (one.Base != 0) || ok && (r.revision != one.Base || r.contact.StartedAt != nil) {
			conflicts = append(conflicts, one.Contact.ID)
		}
	}
	if len(conflicts) > 0 {
		return conflicts, nil // the transaction has written nothing
	}
	if err := c.writeChunkContacts(ctx, campaignID, w, existing); err != nil {
		return nil, err
	}
	rows, err := decode[[]ImportRow](lines)
	if err != nil {
		return nil, err
	}
	raw := make(map[int]string, len(rows))
	for _, row := range rows {
		raw[row.Line] = row.Raw
	}
	if err := c.addRowErrors(ctx, w, raw); err != nil {
		return nil, err
	}
	failed := map[int]bool{}
	for _, e := range w.Failed {
		failed[e.Line] = true
	}
	_, err = c.exec(ctx, `update import_chunks set done = true, lines = '[]', created = $3, updated = $4, failed = $5, warnings = $6
		where import_id = $1 and chunk = $2`, w.ImportID, w.Chunk, w.Created, w.Updated, len(failed), len(w.Warnings))
	return nil, err
}

// lockContacts reads the contacts of a chunk that exist.
func (c conn) lockContacts(ctx context.Context, writes []ContactWrite) (map[string]contactRow, error) {
	ids := make([]string, len(writes))
	for i := range writes {
		ids[i] = writes[i].Contact.ID
	}
	existing := map[string]contactRow{}
	err := c.each(ctx, `select `+contactRowColumns+` from contacts c where `+c.s.dialect.in("c.id", "$1")+` order by c.id`+c.s.dialect.locked,
		[]any{texts(ids)}, func(row scanner) error {
			r, err := scanContactRow(row)
			existing[r.contact.ID] = r
			return err
		})
	return existing, err
}

func (c conn) writeChunkContacts(ctx context.Context, campaignID string, w *ChunkWrite, existing map[string]contactRow) error {
	var added, updated []contactRow
	var changes []contactChange
	var decisions []decisionJSON
	runs := slices.Clone(w.Runs)
	for i := range w.Contacts {
		one := &w.Contacts[i]
		row, ok := existing[one.Contact.ID]
		r := &row
		change := contactChange{after: &one.Contact, row: r}
		if ok {
			before := r.contact
			change.before = &before
			one.Contact.CreatedAt = before.CreatedAt
		} else {
			r.recorded = nothingRecorded
		}
		one.Contact.CampaignID = campaignID
		r.contact = one.Contact
		r.touch(w.Now)
		if r.contact.CreatedAt.IsZero() {
			r.contact.CreatedAt = w.Now
		}
		r.reached = r.reached.Advance(&r.contact, one.Decisions)
		rows, err := decisionRows(r, one.Decisions)
		if err != nil {
			return err
		}
		decisions, changes = append(decisions, rows...), append(changes, change)
		if one.Run != nil {
			runs = append(runs, *one.Run)
		}
		if ok {
			updated = append(updated, *r)
		} else {
			added = append(added, *r)
		}
	}
	if err := c.insertContacts(ctx, added); err != nil {
		return err
	}
	if err := c.updateContacts(ctx, updated); err != nil {
		return err
	}
	if err := c.project(ctx, campaignID, changes, w.Now); err != nil {
		return err
	}
	if err := c.addDecisions(ctx, decisions); err != nil {
		return err
	}
	return c.addRuns(ctx, runs)
}
