package store

import (
	"context"
	"fmt"

	"carillon/campaign"
)

// Contact reads one contact.
func (s *Store) Contact(ctx context.Context, campaignID, id string) (campaign.Contact, error) {
	var doc []byte
	err := s.read().one(ctx, `select doc from contacts where id = $1 and campaign_id = $2`, []any{id, campaignID}, &doc)
	if err != nil {
		return campaign.Contact{}, fmt.Errorf("read contact %s: %w", id, err)
	}
	return decode[campaign.Contact](doc)
}

// ContactByID reads one contact of whatever campaign.
func (s *Store) ContactByID(ctx context.Context, id string) (campaign.Contact, error) {
	var doc []byte
	if err := s.read().one(ctx, `select doc from contacts where id = $1`, []any{id}, &doc); err != nil {
		return campaign.Contact{}, fmt.Errorf("read contact %s: %w", id, err)
	}
	return decode[campaign.Contact](doc)
}

// UpdateContact changes a contact that no workflow owns.
func (s *Store) UpdateContact(ctx context.Context, campaignID, id string, change func(*campaign.Contact) ([]campaign.Decision, error)) (campaign.Contact, error) {
	var after campaign.Contact
	err := s.write(ctx, func(c conn) error {
		r, err := c.lockContact(ctx, id)
		if err != nil {
			return err
		}
		switch {
		case r.contact.CampaignID != campaignID:
			return ErrNotFound
		case r.workflow():
			return fmt.Errorf("%w: its workflow owns it", ErrConflict)
		}
		before := r.contact.Clone()
		decisions, err := change(&r.contact)
		if err != nil {
			return err
		}
		r.touch(s.now())
		if err := c.saveContact(ctx, &before, &r, decisions); err != nil {
			return err
		}
		after = r.contact
		return nil
	})
	if err != nil {
		return campaign.Contact{}, fmt.Errorf("update contact %s: %w", id, err)
	}
	return after, nil
}

// saveContact writes a contact that was there before, its projections and its decisions.
func (c conn) saveContact(ctx context.Context, before *campaign.Contact, r *contactRow, decisions []campaign.Decision) error {
	r.reached = r.reached.Advance(&r.contact, decisions)
	if err := c.updateContact(ctx, r); err != nil {
		return err
	}
	if err := c.project(ctx, r.contact.CampaignID, []contactChange{{before, &r.contact, r}}, r.contact.UpdatedAt); err != nil {
		return err
	}
	rows, err := decisionRows(r, decisions)
	if err != nil {
		return err
	}
	return c.addDecisions(ctx, rows)
}

// DeleteContact removes a contact that no workflow owns, and what was kept about it.
func (s *Store) DeleteContact(ctx context.Context, campaignID, id string) error {
	err := s.write(ctx, func(c conn) error {
		r, err := c.lockContact(ctx, id)
		if err != nil {
			return err
		}
		switch {
		case r.contact.CampaignID != campaignID:
			return ErrNotFound
		case r.workflow():
			return fmt.Errorf("%w: its workflow owns it", ErrConflict)
		}
		return c.dropContacts(ctx, []contactRow{r})
	})
	if err != nil {
		return fmt.Errorf("delete contact %s: %w", id, err)
	}
	return nil
}

// dropContacts removes contacts of one campaign and everything about them. Their
// open import rows are settled, so that the imports can finish.
func (c conn) dropContacts(ctx context.Context, rows []contactRow) error {
	if err := c.tallyGone(ctx, rows, c.s.now()); err != nil {
		return err
	}
	var ids, communications []string
	var fields []fieldJSON
	for i := range rows {
		contact := &rows[i].contact
		ids = append(ids, contact.ID)
		for j := range contact.Communications {
			communications = append(communications, contact.Communications[j].ID)
		}
		for name := range contact.Parameters {
			if value, ok := fieldValue(contact, name); ok {
				fields = append(fields, fieldJSON{contact.CampaignID, name, value, contact.ID})
			}
		}
	}
	in := c.s.dialect.in
	if err := c.dropFields(ctx, fields); err != nil {
		return err
	}
	if _, err := c.exec(ctx, `delete from communications where `+in("id", "$1"), texts(communications)); err != nil {
		return err
	}
	for _, statement := range []string{
		`update import_pending set settled = true, failed = true where not settled and ` + in("contact_id", "$1"),
		`delete from session_notes where session_id in (select id from sessions where ` + in("contact_id", "$1") + `)`,
		`delete from messages where session_id in (select id from sessions where ` + in("contact_id", "$1") + `)`,
		`delete from sessions where ` + in("contact_id", "$1"),
		`delete from inbox where ` + in("contact_id", "$1"),
		`delete from sends where ` + in("contact_id", "$1"),
		`delete from provider_events where ` + in("contact_id", "$1"),
		`delete from identities where ` + in("contact_id", "$1"),
		`delete from outbox where ` + in("contact_id", "$1"),
		`delete from holds where ` + in("contact_id", "$1"),
		`delete from agent_leases where ` + in("contact_id", "$1"),
		`delete from agent_waiters where ` + in("contact_id", "$1"),
		`delete from strategy_runs where ` + in("contact_id", "$1"),
		`delete from decisions where ` + in("contact_id", "$1"),
		`delete from memos where ` + in("contact_id", "$1"),
		`delete from contact_runs where ` + in("contact_id", "$1"),
		`delete from contact_search where ` + in("contact_id", "$1"),
		`delete from contacts where ` + in("id", "$1"),
	} {
		if _, err := c.exec(ctx, statement, texts(ids)); err != nil {
			return err
		}
	}
	return nil
}
