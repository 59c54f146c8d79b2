package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"carillon/campaign"
)

// Tallies are what analytics and progress are read from. Every write of contacts
// appends what it changed in them, in its own transaction: the difference between
// what was stored before and what is stored after, so that a step that is executed
// again, a reset or a newer run counts nothing twice, and a transaction that dies
// counts nothing. Nobody writes a counter, so nobody waits for one; [Store.RollUp]
// adds up what was appended.

// tally is what a write changed: how many more, or fewer, are in each cell.
type tally map[campaign.Cell]int

// add counts a contact in (1) or out (-1).
func (t tally) add(cells map[campaign.Cell]int, sign int) {
	for cell, n := range cells {
		if t[cell] += sign * n; t[cell] == 0 {
			delete(t, cell)
		}
	}
}

// cells are what a contact's row counts in now, and counted in when it was read.
func (r *contactRow) cells() map[campaign.Cell]int {
	return campaign.Cells(&r.contact, r.reached, r.launchedAt != nil)
}

func (r *contactRow) cellsBefore(before *campaign.Contact) map[campaign.Cell]int {
	return campaign.Cells(before, r.was.reached, r.was.launched)
}

// tallyChanges appends what the changes of one campaign's contacts come to.
func (c conn) tallyChanges(ctx context.Context, campaignID string, changes []contactChange, when time.Time) error {
	t := tally{}
	for _, ch := range changes {
		t.add(ch.row.cells(), 1)
		t.add(ch.row.cellsBefore(ch.before), -1)
	}
	return c.appendTally(ctx, campaignID, t, when)
}

// tallyGone counts contacts out that are deleted next.
func (c conn) tallyGone(ctx context.Context, rows []contactRow, when time.Time) error {
	t := map[string]tally{}
	for i := range rows {
		id := rows[i].contact.CampaignID
		if t[id] == nil {
			t[id] = tally{}
		}
		t[id].add(rows[i].cells(), -1)
	}
	for _, id := range slices.Sorted(maps.Keys(t)) {
		if err := c.appendTally(ctx, id, t[id], when); err != nil {
			return err
		}
	}
	return nil
}

func (c conn) appendTally(ctx context.Context, campaignID string, t tally, when time.Time) error {
	if len(t) == 0 {
		return nil
	}
	text, err := t.encode()
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into tally_deltas (campaign_id, at, cells) values ($1, $2, $3)`, campaignID, micros(when), text)
	return err
}

// encode writes a tally as JSON, by kind and by cell.
func (t tally) encode() (string, error) {
	byKind := map[campaign.CellKind]map[string]int{}
	for cell, n := range t {
		if byKind[cell.Kind] == nil {
			byKind[cell.Kind] = map[string]int{}
		}
		byKind[cell.Kind][cell.Text()] += n
	}
	return encode(byKind)
}

func decodeTally(text []byte) (tally, error) {
	var byKind map[campaign.CellKind]map[string]int
	if err := json.Unmarshal(text, &byKind); err != nil {
		return nil, err
	}
	t := tally{}
	for kind, cells := range byKind {
		for cell, n := range cells {
			t[campaign.ParseCell(kind, cell)] += n
		}
	}
	return t, nil
}
