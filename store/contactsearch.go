package store

import (
	"context"
	"fmt"
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

// searchContacts finds contacts by what begins as typed, in the order of what was
// found. Each column is read along its own index, so a page costs the same
// however many there are; a contact that several columns find counts once, where
// it comes first.
func (s *Store) searchContacts(ctx context.Context, f ContactFilter, p Page) (List[campaign.Contact], error) {
	out := List[campaign.Contact]{Items: []campaign.Contact{}}
	name, err := encode(f)
	if err != nil {
		return out, err
	}
	var q query
	q.list.WriteString(name)
	var after position
	if p.Cursor != "" {
		if after, err = q.position(p.Cursor, 2); err != nil {
			return out, err
		}
	}
	limit, terms := p.limit(), searchTerms(f.Query)
	var branches []string
	for i := range terms {
		b := query{args: q.args}
		text := s.searchBranch(&b, f, terms, i, after) + b.bind(" limit ?", limit+1)
		branches = append(branches, fmt.Sprintf("select * from (%s) as b%d", text, i))
		q.args = b.args
	}
	var last position
	text := "select term, id, doc from (" + strings.Join(branches, " union all ") + ") as found order by term, id" + q.bind(" limit ?", limit+1)
	err = s.read().each(ctx, text, q.args, func(row scanner) error {
		if len(out.Items) == limit {
			out.Next = cursor{q.name(), last}.String()
			return nil
		}
		var term, id string
		var doc []byte
		if err := row.Scan(&term, &id, &doc); err != nil {
			return err
		}
		c, err := decode[campaign.Contact](doc)
		out.Items, last = append(out.Items, c), position{term, id}
		return err
	})
	return out, err
}

// searchBranch selects what the i-th term finds and no other term finds before.
func (s *Store) searchBranch(q *query, f ContactFilter, terms []searchTerm, i int, after position) string {
	t := terms[i]
	in, args := t.in()
	q.and(in, args...)
	q.equal("s.campaign_id", f.CampaignID)
	q.equal("s.object_id", cut(f.ObjectID))
	q.equal("s.external_id", cut(f.ExternalID))
	if after != nil {
		q.and("("+t.column+", s.contact_id) > (?, ?)", after...)
	}
	for j, other := range terms {
		if j == i {
			continue
		}
		before := " < "
		if j < i {
			before = " <= "
		}
		in, args := other.in()
		q.and("not ("+in+" and "+other.column+before+t.column+")", args...)
	}
	f.Query = ""
	s.filterContacts(q, f, false)
	return "select " + t.column + " as term, s.contact_id as id, c.doc as doc from contact_search s join contacts c on c.id = s.contact_id" +
		q.clause() + " order by " + t.column + ", s.contact_id"
}
