package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"carillon/campaign"
)

// Contacts lists contacts: in the order of their ids; with UpdatedSince in the
// order of their updates, so that a reader who goes on from the last one sees
// every change; with HeldSince or OverdueSince those first that wait the longest;
// with Query in the order of what was found.
func (s *Store) Contacts(ctx context.Context, f ContactFilter, p Page) (List[campaign.Contact], error) {
	var items List[campaign.Contact]
	var err error
	if f.Query != "" {
		items, err = s.searchContacts(ctx, f, p)
	} else {
		items, err = s.listContacts(ctx, f, p, f.orderColumn())
	}
	if err != nil {
		return items, fmt.Errorf("list contacts: %w", err)
	}
	return items, nil
}

// orderColumn is the column of time that a list is in the order of, "" for ids.
func (f *ContactFilter) orderColumn() string {
	switch {
	case !f.HeldSince.IsZero():
		return "c.held_since"
	case !f.OverdueSince.IsZero():
		return "c.next_action_at"
	case !f.UpdatedSince.IsZero():
		return "c.updated_at"
	default:
		return ""
	}
}

func (s *Store) listContacts(ctx context.Context, f ContactFilter, p Page, column string) (List[campaign.Contact], error) {
	var q query
	id, from, err := s.driveContacts(ctx, &q, f)
	if err != nil {
		return List[campaign.Contact]{}, err
	}
	by := order{columns: []string{id}}
	at := "0"
	if column != "" {
		at, by.columns = column, []string{column, "c.id"}
	}
	return list(ctx, s.read(), `select c.doc, `+at+` from `+from, &q, by, p, func(row scanner) (c campaign.Contact, at position, err error) {
		var doc []byte
		var when int64
		if err = row.Scan(&doc, &when); err != nil {
			return c, nil, err
		}
		c, err = decode[campaign.Contact](doc)
		if column == "" {
			return c, position{c.ID}, err
		}
		return c, position{when, c.ID}, err
	})
}

// driveContacts chooses the table a list is read along, so that a page costs the
// same however many contacts there are, and returns its id column.
func (s *Store) driveContacts(ctx context.Context, q *query, f ContactFilter) (id, from string, err error) {
	id, from = "c.id", "contacts c"
	var indexed []string
	if len(f.Fields) > 0 {
		if indexed, err = s.read().indexedFields(ctx, f.CampaignID); err != nil {
			return "", "", err
		}
	}
	switch {
	case f.ObjectID != "" || f.ExternalID != "":
		id, from = "s.contact_id", "contact_search s join contacts c on c.id = s.contact_id"
		q.equal("s.campaign_id", f.CampaignID)
		q.equal("s.object_id", cut(f.ObjectID))
		q.equal("s.external_id", cut(f.ExternalID))
	default:
		for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
			if slices.Contains(indexed, name) {
				id, from = "f.contact_id", "contact_fields f join contacts c on c.id = f.contact_id"
				q.where("f.campaign_id = ? and f.name = ? and f.value = ?", f.CampaignID, name, cut(f.Fields[name]))
				f.Fields = maps.Clone(f.Fields)
				delete(f.Fields, name)
				break
			}
		}
	}
	s.filterContacts(q, f, from == "contacts c")
	return id, from, nil
}

// filterContacts adds the conditions on c; driving says that c is what the list is read along.
func (s *Store) filterContacts(q *query, f ContactFilter, driving bool) {
	if driving {
		q.equal("c.campaign_id", f.CampaignID)
	}
	q.equal("c.status", string(f.Status))
	q.equal("c.current_stage", cut(f.Stage))
	if f.Outcome != "" {
		q.where("c.outcome = ? and c.outcome <> ''", string(f.Outcome))
	}
	switch {
	case f.HeldCause != "":
		q.where("c.held_cause = ? and c.held_cause <> ''", cut(f.HeldCause))
	case f.Held != nil && *f.Held:
		q.where("c.held_cause <> ''")
	case f.Held != nil:
		q.where("c.held_cause = ''")
	}
	if f.AttentionReason != "" {
		q.where("c.attention_reason = ? and c.attention_reason <> ''", cut(f.AttentionReason))
	}
	switch {
	case f.Idle != nil && *f.Idle:
		q.where("c.idle")
	case f.Idle != nil:
		q.where("not c.idle")
	}
	if !f.HeldSince.IsZero() {
		q.list.WriteString("held_since;") // the moment moves on, and the cursor stays good
		q.and("c.held_since < ?", micros(f.HeldSince))
	}
	if !f.OverdueSince.IsZero() {
		q.list.WriteString("overdue_since;")
		q.and("c.next_action_at < ?", micros(f.OverdueSince))
	}
	if !f.UpdatedSince.IsZero() {
		q.where("c.updated_at >= ?", micros(f.UpdatedSince))
	}
	if f.Query != "" {
		cond, args := anyTerm(searchTerms(f.Query))
		q.where("exists (select 1 from contact_search s where s.contact_id = c.id and ("+cond+"))", args...)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Fields)) {
		key, ok := s.dialect.fieldName(name)
		if !ok {
			q.where("1 = 0")
			continue
		}
		q.args = append(q.args, key)
		q.where(s.dialect.field(fmt.Sprintf("cast($%d as text)", len(q.args)))+" = ?", f.Fields[name])
	}
}

// EachContact streams every contact of the filter in the order of their ids.
func (s *Store) EachContact(ctx context.Context, f ContactFilter, visit func(campaign.Contact) error) error {
	for page := (Page{Limit: 500}); ; {
		items, err := s.listContacts(ctx, f, page, "")
		if err != nil {
			return fmt.Errorf("stream contacts: %w", err)
		}
		for _, c := range items.Items {
			if err := visit(c); err != nil {
				return err
			}
		}
		if items.Next == "" {
			return nil
		}
		page.Cursor = items.Next
	}
}
