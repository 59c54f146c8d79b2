package campaign

import "time"

// HourOf returns the hour a moment belongs to: hours begin on the hour in the
// campaign's zone, so that every day is made of whole ones, also where the zone is
// half an hour off.
func HourOf(t time.Time, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	shift := time.Duration(offset) * time.Second
	return t.UTC().Add(shift).Truncate(time.Hour).Add(-shift)
}

// HourCell is a cell in one hour.
type HourCell struct {
	Hour time.Time
	Cell Cell
}

// HourChange is by how much a cell changed in an hour.
type HourChange struct {
	HourCell
	N int
}

// Tally is what a campaign's contacts and communications come to.
type Tally struct {
	Cells    map[Cell]int      // as of a moment
	Changes  []HourChange      // of contacts, before that moment
	StageIDs map[string]string // by every name a stage has had
}

// Past tells when a contact came to be in its cells from what it still knows: its
// times. The sum is what is given; a status in between may be missing.
func Past(c *Contact, cells map[Cell]int, launched *time.Time) []HourChange {
	last := c.UpdatedAt
	if c.EndedAt != nil {
		last = *c.EndedAt
	}
	var past []HourChange
	at := func(t time.Time, cell Cell, n int) {
		if t.IsZero() || t.After(last) {
			t = last
		}
		past = append(past, HourChange{HourCell{t, cell}, n})
	}
	was := Cell{Kind: CellContact, Status: string(ContactPending)}
	at(c.CreatedAt, was, 1)
	if c.StartedAt != nil {
		at(*c.StartedAt, was, -1)
		was.Status = string(ContactActive)
		at(*c.StartedAt, was, 1)
	}
	at(last, was, -1)
	for cell, n := range cells {
		if cell.Kind == CellLaunched && launched != nil {
			at(*launched, cell, n)
		} else {
			at(last, cell, n)
		}
	}
	return past
}
