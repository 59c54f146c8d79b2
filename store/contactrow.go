package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"carillon/campaign"
)

// contactRow is a contact as its table holds it: the record, and what only the
// store knows of it.
type contactRow struct {
	contact    campaign.Contact
	revision   int64 // of the row: one up with every write
	launchedAt *int64
	generation int64 // of the newest run
	runID      string
	recorded   int64 // the newest run's last revision, nothingRecorded before its first
	reached    campaign.Reached
	was        struct { // when it was read
		launched bool
		reached  campaign.Reached
	}
}

// nothingRecorded is the revision of a run that has not written yet.
const nothingRecorded = -1

// workflow reports whether the contact's workflow owns it.
func (r *contactRow) workflow() bool {
	return r.contact.StartedAt != nil && !r.contact.Status.Ended()
}

const contactRowColumns = `c.doc, c.revision, c.launched_at, c.generation, c.run_id, c.run_revision, c.reached`

func scanContactRow(row scanner) (r contactRow, err error) {
	var doc []byte
	if err = row.Scan(&doc, &r.revision, &r.launchedAt, &r.generation, &r.runID, &r.recorded, &r.reached); err != nil {
		return r, err
	}
	r.was.launched, r.was.reached = r.launchedAt != nil, r.reached
	r.contact, err = decode[campaign.Contact](doc)
	return r, err
}

// lockContact reads a contact that is written next.
func (c conn) lockContact(ctx context.Context, id string) (r contactRow, err error) {
	rows, err := collect(ctx, c, `select `+contactRowColumns+` from contacts c where c.id = $1`+c.s.dialect.locked, []any{id}, scanContactRow)
	if err == nil && len(rows) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return r, err
	}
	return rows[0], nil
}

// contactColumns are a contact's columns as one JSON row writes them.
const contactColumns = "id text, campaign_id text, status text, current_stage text, outcome text, held_cause text, " +
	"attention_reason text, idle boolean, paused boolean, planned boolean, created_at bigint, updated_at bigint, " +
	"started_at bigint, launched_at bigint, ended_at bigint, next_action_at bigint, revision bigint, " +
	"generation bigint, run_id text, run_revision bigint, reached text, held_since bigint, doc text"

// contactJSON is a row of contactColumns.
type contactJSON struct {
	ID              string `json:"id"`
	CampaignID      string `json:"campaign_id"`
	Status          string `json:"status"`
	CurrentStage    string `json:"current_stage"`
	Outcome         string `json:"outcome"`
	HeldCause       string `json:"held_cause"`
	AttentionReason string `json:"attention_reason"`
	Idle            bool   `json:"idle"`
	Paused          bool   `json:"paused"`
	Planned         bool   `json:"planned"`
	CreatedAt       int64  `json:"created_at"`
	UpdatedAt       int64  `json:"updated_at"`
	StartedAt       *int64 `json:"started_at"`
	LaunchedAt      *int64 `json:"launched_at"`
	EndedAt         *int64 `json:"ended_at"`
	NextActionAt    *int64 `json:"next_action_at"`
	Revision        int64  `json:"revision"`
	Generation      int64  `json:"generation"`
	RunID           string `json:"run_id"`
	RunRevision     int64  `json:"run_revision"`
	Reached         string `json:"reached"`
	HeldSince       *int64 `json:"held_since"`
	Doc             string `json:"doc"`
}

// columns derives the columns of a row from its record, which it tidies.
func (r *contactRow) columns() (contactJSON, error) {
	c := &r.contact
	tidyContact(c)
	doc, err := encode(c)
	if err != nil {
		return contactJSON{}, fmt.Errorf("contact %s: %w", c.ID, err)
	}
	j := contactJSON{
		ID: c.ID, CampaignID: c.CampaignID, Status: string(c.Status), CurrentStage: cut(c.CurrentStage),
		Outcome: string(c.Outcome), Idle: c.Idle, Paused: c.Paused, Planned: c.Next() != nil,
		CreatedAt: micros(c.CreatedAt), UpdatedAt: micros(c.UpdatedAt), StartedAt: microsPtr(c.StartedAt),
		LaunchedAt: r.launchedAt, EndedAt: microsPtr(c.EndedAt), NextActionAt: microsPtr(c.NextActionAt),
		Revision: r.revision, Generation: r.generation, RunID: r.runID, RunRevision: r.recorded, Reached: string(r.reached), Doc: doc,
	}
	if c.Held != nil {
		j.HeldCause, j.HeldSince = cut(c.Held.Cause), microsPtr(&c.Held.Since)
	}
	if c.Attention != nil {
		j.AttentionReason = cut(c.Attention.Reason)
	}
	return j, nil
}

// tidyContact brings a contact's times to the store's precision and its end in
// line with its status.
func tidyContact(c *campaign.Contact) {
	c.CreatedAt, c.UpdatedAt = at(c.CreatedAt), at(c.UpdatedAt)
	c.StartedAt, c.NextActionAt = atPtr(c.StartedAt), atPtr(c.NextActionAt)
	switch {
	case !c.Status.Ended():
		c.EndedAt = nil
	case c.EndedAt == nil:
		ended := c.UpdatedAt
		c.EndedAt = &ended
	default:
		c.EndedAt = atPtr(c.EndedAt)
	}
	for i := range c.Communications {
		m := &c.Communications[i]
		m.StartDate, m.ExpiresAt, m.Status.At = at(m.StartDate), atPtr(m.ExpiresAt), at(m.Status.At)
	}
}

// insertContacts adds new rows.
func (c conn) insertContacts(ctx context.Context, rows []contactRow) error {
	return c.bulkContacts(ctx, rows, `insert into contacts
		(id, campaign_id, status, current_stage, outcome, held_cause, attention_reason, idle, paused, planned,
		 created_at, updated_at, started_at, launched_at, ended_at, next_action_at, revision, generation, run_id, run_revision, reached, held_since, doc)
		select id, campaign_id, status, current_stage, outcome, held_cause, attention_reason, idle, paused, planned,
		 created_at, updated_at, started_at, launched_at, ended_at, next_action_at, revision, generation, run_id, run_revision, reached, held_since, doc
		from `+c.s.dialect.rows(contactColumns))
}

// updateContacts writes rows that exist. Columns that a contact is born with stay.
func (c conn) updateContacts(ctx context.Context, rows []contactRow) error {
	if len(rows) == 1 {
		return c.updateContact(ctx, &rows[0])
	}
	return c.bulkContacts(ctx, rows, `update contacts set
		status = x.status, current_stage = x.current_stage, outcome = x.outcome, held_cause = x.held_cause,
		attention_reason = x.attention_reason, idle = x.idle, paused = x.paused, planned = x.planned,
		updated_at = x.updated_at, started_at = x.started_at, launched_at = x.launched_at, ended_at = x.ended_at,
		next_action_at = x.next_action_at, revision = x.revision, generation = x.generation, run_id = x.run_id,
		run_revision = x.run_revision, reached = x.reached, held_since = x.held_since, doc = x.doc
		from `+c.s.dialect.rows(contactColumns)+` where contacts.id = x.id`)
}

// updateContact is updateContacts of one, which is the hot one.
func (c conn) updateContact(ctx context.Context, r *contactRow) error {
	j, err := r.columns()
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `update contacts set
		status = $2, current_stage = $3, outcome = $4, held_cause = $5, attention_reason = $6, idle = $7, paused = $8,
		planned = $9, updated_at = $10, started_at = $11, launched_at = $12, ended_at = $13, next_action_at = $14,
		revision = $15, generation = $16, run_id = $17, run_revision = $18, reached = $19, held_since = $20, doc = $21
		where id = $1`,
		j.ID, j.Status, j.CurrentStage, j.Outcome, j.HeldCause, j.AttentionReason, j.Idle, j.Paused,
		j.Planned, j.UpdatedAt, j.StartedAt, j.LaunchedAt, j.EndedAt, j.NextActionAt,
		j.Revision, j.Generation, j.RunID, j.RunRevision, j.Reached, j.HeldSince, j.Doc)
	return err
}

func (c conn) bulkContacts(ctx context.Context, rows []contactRow, query string) error {
	columns := make([]contactJSON, 0, len(rows))
	for i := range rows {
		j, err := rows[i].columns()
		if err != nil {
			return err
		}
		columns = append(columns, j)
	}
	return bulk(ctx, c, query, columns)
}

// texts is a list of texts as the one JSON parameter of dialect.in.
func texts(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(list) // strings only
	return string(b)
}

// touch stamps a contact that is written now and counts the write.
func (r *contactRow) touch(now time.Time) {
	r.contact.UpdatedAt = at(now)
	r.revision++
}
