package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"carillon/campaign"
)

// searchTerm is a column of contact_search and the range of what begins as typed.
type searchTerm struct{ column, from, to string }

// searchTerms are the columns that could begin with what was typed.
func searchTerms(typed string) []searchTerm {
	term := func(column, text string) searchTerm { return searchTerm{"s." + column, text, text + "\uffff"} }
	exact, lower := cut(typed), cut(strings.ToLower(typed))
	terms := []searchTerm{term("name", lower), term("email", lower), term("object_id", exact), term("external_id", exact)}
	if number := cut(digits(typed)); number != "" && strings.Trim(typed, "0123456789 +-()./") == "" {
		terms = append(terms, term("phone", number))
	}
	if strings.HasPrefix(exact, "ct_") {
		terms = append(terms, term("contact_id", exact))
	}
	return terms
}

// in is the condition that the term finds a contact. An empty column is in no index.
func (t searchTerm) in() (string, []any) {
	return t.column + " >= ? and " + t.column + " < ? and " + t.column + " <> ''", []any{t.from, t.to}
}

// anyTerm is the condition that one of the terms finds a contact.
func anyTerm(terms []searchTerm) (cond string, args []any) {
	var conds []string
	for _, t := range terms {
		in, a := t.in()
		conds, args = append(conds, in), append(args, a...)
	}
	return strings.Join(conds, " or "), args
}

// searchHit is a contact that one of the terms finds, with what it is found by.
type searchHit struct {
	text string // of the column that was found
	row  searchJSON
}

// first reports whether no other term finds the contact before: a contact counts
// once, where it comes first.
func (h *searchHit) first(terms []searchTerm) bool {
	for _, t := range terms {
		if text := h.row.column(t.column); text != "" && text >= t.from && text < t.to && text < h.text {
			return false
		}
	}
	return true
}

func (r *searchJSON) column(name string) string {
	switch name {
	case "s.name":
		return r.Name
	case "s.email":
		return r.Email
	case "s.phone":
		return r.Phone
	case "s.object_id":
		return r.ObjectID
	case "s.external_id":
		return r.ExternalID
	default:
		return r.ContactID
	}
}

// searchContacts finds contacts by what begins as typed, in the order of what was
// found. Each column is read along its own index, so a page costs the same
// however many there are.
func (s *Store) searchContacts(ctx context.Context, f ContactFilter, p Page) (List[campaign.Contact], error) {
	out := List[campaign.Contact]{Items: []campaign.Contact{}}
	name, err := encode(f)
	if err != nil {
		return out, err
	}
	var q query
	q.list.WriteString(name)
	after := position{"", ""}
	if p.Cursor != "" {
		if after, err = q.position(p.Cursor, []string{"text", "contact_id"}); err != nil {
			return out, err
		}
	}
	limit, terms := p.limit(), searchTerms(f.Query)
	var found []searchHit
	for batch := limit + 1; len(found) <= limit; batch = min(2*batch, 8*maxLimit) {
		hits, err := s.searchHits(ctx, f, terms, after, batch)
		if err != nil {
			return out, err
		}
		for _, h := range hits {
			again := len(found) > 0 && found[len(found)-1].row.ContactID == h.row.ContactID
			if !again && h.first(terms) {
				found = append(found, h)
			}
		}
		if len(hits) < batch {
			break
		}
		last := hits[len(hits)-1]
		after = position{last.text, last.row.ContactID}
	}
	if len(found) > limit {
		found = found[:limit]
		out.Next = cursor{q.name(), position{found[limit-1].text, found[limit-1].row.ContactID}}.String()
	}
	out.Items, err = s.contactsInOrder(ctx, found)
	return out, err
}

// searchHits returns what the terms find after a position, ordered by what was
// found and the id; one that two columns find alike comes twice in a row.
func (s *Store) searchHits(ctx context.Context, f ContactFilter, terms []searchTerm, after position, limit int) ([]searchHit, error) {
	var q query
	var branches []string
	for i, t := range terms {
		b := query{args: q.args}
		b.and(t.column+" < ? and "+t.column+" <> ''", t.to)
		// One lower bound only: of two, PostgreSQL may begin at the looser one.
		if text, _ := after[0].(string); text < t.from {
			b.and("("+t.column+", s.contact_id) > (?, '')", t.from)
		} else {
			b.and("("+t.column+", s.contact_id) > (?, ?)", after...)
		}
		b.equal("s.campaign_id", f.CampaignID)
		b.equal("s.object_id", cut(f.ObjectID))
		b.equal("s.external_id", cut(f.ExternalID))
		rest := f
		rest.Query, rest.CampaignID, rest.ObjectID, rest.ExternalID = "", "", "", ""
		from, n := "contact_search s", len(b.conds)
		if s.filterContacts(&b, rest, false); len(b.conds) > n {
			from += " join contacts c on c.id = s.contact_id"
		}
		branches = append(branches, fmt.Sprintf("select * from (select %s as found, s.contact_id, s.name, s.email, s.phone, s.object_id, s.external_id from %s%s order by %s, s.contact_id%s) as b%d",
			t.column, from, b.clause(), t.column, b.bind(" limit ?", limit), i))
		q.args = b.args
	}
	text := "select * from (" + strings.Join(branches, " union all ") + ") as hits order by found, contact_id" + q.bind(" limit ?", limit)
	return collect(ctx, s.read(), text, q.args, func(row scanner) (h searchHit, err error) {
		err = row.Scan(&h.text, &h.row.ContactID, &h.row.Name, &h.row.Email, &h.row.Phone, &h.row.ObjectID, &h.row.ExternalID)
		return h, err
	})
}

// contactsInOrder reads the contacts that were found.
func (s *Store) contactsInOrder(ctx context.Context, found []searchHit) ([]campaign.Contact, error) {
	ids, at := make([]string, len(found)), make(map[string]int, len(found))
	for i := range found {
		ids[i] = found[i].row.ContactID
		at[ids[i]] = i
	}
	items := make([]campaign.Contact, len(found))
	err := s.read().each(ctx, `select doc from contacts c where `+s.dialect.in("c.id", "$1"), []any{texts(ids)}, func(row scanner) error {
		c, err := scanDoc[campaign.Contact](row)
		items[at[c.ID]] = c
		return err
	})
	return slices.DeleteFunc(items, func(c campaign.Contact) bool { return c.ID == "" }), err // deleted in between
}
