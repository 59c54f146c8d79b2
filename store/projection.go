package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"carillon/campaign"
)

// A contact's projections are the tables that lists are read from:
// communications, contact_search and contact_fields. Only what differs from the
// contact as it was is written.

// contactChange is a contact before and after a write; before is nil for a new one.
type contactChange struct {
	before, after *campaign.Contact
	row           *contactRow // of after
}

// project brings the projections, and the tallies, in line with the changes, all
// of one campaign.
func (c conn) project(ctx context.Context, campaignID string, changes []contactChange, when time.Time) error {
	if err := c.tallyChanges(ctx, campaignID, changes, when); err != nil {
		return err
	}
	if err := c.projectCommunications(ctx, changes); err != nil {
		return err
	}
	if err := c.projectSearch(ctx, changes); err != nil {
		return err
	}
	return c.projectFields(ctx, campaignID, changes)
}

type communicationJSON struct {
	ID         string `json:"id"`
	CampaignID string `json:"campaign_id"`
	ContactID  string `json:"contact_id"`
	Stage      string `json:"stage"`
	StageID    string `json:"stage_id"`
	Status     string `json:"status"`
	Channel    string `json:"channel"`
	StartDate  int64  `json:"start_date"`
}

func communicationRows(c *campaign.Contact) map[string]communicationJSON {
	if c == nil {
		return nil
	}
	rows := make(map[string]communicationJSON, len(c.Communications))
	for i := range c.Communications {
		m := &c.Communications[i]
		rows[m.ID] = communicationJSON{
			ID: m.ID, CampaignID: c.CampaignID, ContactID: c.ID, Stage: cut(m.StageName), StageID: cut(m.StageID),
			Status: string(m.Status.Status), Channel: string(m.Channel), StartDate: micros(m.StartDate),
		}
	}
	return rows
}

func (c conn) projectCommunications(ctx context.Context, changes []contactChange) error {
	var put []communicationJSON
	var gone []string
	for _, ch := range changes {
		before, after := communicationRows(ch.before), communicationRows(ch.after)
		for _, id := range slices.Sorted(maps.Keys(after)) {
			if old, ok := before[id]; !ok || old != after[id] {
				put = append(put, after[id])
			}
			delete(before, id)
		}
		gone = slices.AppendSeq(gone, maps.Keys(before))
	}
	if len(gone) > 0 {
		if _, err := c.exec(ctx, `delete from communications where `+c.s.dialect.in("id", "$1"), texts(gone)); err != nil {
			return err
		}
	}
	return bulk(ctx, c, `insert into communications (id, campaign_id, contact_id, stage, stage_id, status, channel, start_date)
		select id, campaign_id, contact_id, stage, stage_id, status, channel, start_date
		from `+c.s.dialect.rows("id text, campaign_id text, contact_id text, stage text, stage_id text, status text, channel text, start_date bigint")+`
		where true
		on conflict (id) do update set stage = excluded.stage, stage_id = excluded.stage_id, status = excluded.status,
			channel = excluded.channel, start_date = excluded.start_date`, put)
}

type searchJSON struct {
	ContactID  string `json:"contact_id"`
	CampaignID string `json:"campaign_id"`
	Name       string `json:"name"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	ObjectID   string `json:"object_id"`
	ExternalID string `json:"external_id"`
}

func searchRow(c *campaign.Contact) searchJSON {
	return searchJSON{
		ContactID: c.ID, CampaignID: c.CampaignID, Name: cut(strings.ToLower(c.Name)), Email: cut(strings.ToLower(c.Email)),
		Phone: cut(digits(c.Phone)), ObjectID: cut(c.ObjectID), ExternalID: cut(c.ExternalID),
	}
}

// digits is what of a phone number is searched in.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func (c conn) projectSearch(ctx context.Context, changes []contactChange) error {
	var put []searchJSON
	for _, ch := range changes {
		if row := searchRow(ch.after); ch.before == nil || searchRow(ch.before) != row {
			put = append(put, row)
		}
	}
	return bulk(ctx, c, `insert into contact_search (contact_id, campaign_id, name, email, phone, object_id, external_id)
		select contact_id, campaign_id, name, email, phone, object_id, external_id
		from `+c.s.dialect.rows("contact_id text, campaign_id text, name text, email text, phone text, object_id text, external_id text")+`
		where true
		on conflict (contact_id) do update set name = excluded.name, email = excluded.email, phone = excluded.phone,
			object_id = excluded.object_id, external_id = excluded.external_id`, put)
}

type fieldJSON struct {
	CampaignID string `json:"campaign_id"`
	Name       string `json:"name"`
	Value      string `json:"value"`
	ContactID  string `json:"contact_id"`
}

const fieldColumns = "campaign_id text, name text, value text, contact_id text"

func (c conn) projectFields(ctx context.Context, campaignID string, changes []contactChange) error {
	differs := func(ch contactChange) bool {
		return ch.before == nil && len(ch.after.Parameters) > 0 ||
			ch.before != nil && !maps.EqualFunc(ch.before.Parameters, ch.after.Parameters, slices.Equal)
	}
	if !slices.ContainsFunc(changes, differs) {
		return nil
	}
	names, err := c.indexedFields(ctx, campaignID)
	if err != nil || len(names) == 0 {
		return err
	}
	var gone, put []fieldJSON
	for _, ch := range changes {
		for _, name := range names {
			before, had := fieldValue(ch.before, name)
			after, has := fieldValue(ch.after, name)
			if had && (!has || before != after) {
				gone = append(gone, fieldJSON{campaignID, name, before, ch.after.ID})
			}
			if has && (!had || before != after) {
				put = append(put, fieldJSON{campaignID, name, after, ch.after.ID})
			}
		}
	}
	if err := c.dropFields(ctx, gone); err != nil {
		return err
	}
	return c.putFields(ctx, put)
}

func (c conn) putFields(ctx context.Context, rows []fieldJSON) error {
	return bulk(ctx, c, `insert into contact_fields (campaign_id, name, value, contact_id)
		select campaign_id, name, value, contact_id from `+c.s.dialect.rows(fieldColumns)+` where true on conflict do nothing`, rows)
}

func (c conn) dropFields(ctx context.Context, rows []fieldJSON) error {
	return bulk(ctx, c, `delete from contact_fields where (campaign_id, name, value, contact_id) in
		(select campaign_id, name, value, contact_id from `+c.s.dialect.rows(fieldColumns)+`)`, rows)
}

func (c conn) indexedFields(ctx context.Context, campaignID string) ([]string, error) {
	return collect(ctx, c, `select name from campaign_fields where campaign_id = $1 order by name`, []any{campaignID}, scanText)
}

// fieldValue is a parameter as a filter compares it: text.
func fieldValue(c *campaign.Contact, name string) (string, bool) {
	if c == nil {
		return "", false
	}
	raw, ok := c.Parameters[name]
	if !ok {
		return "", false
	}
	plain := campaign.Plain(raw)
	text, err := decode[string](plain)
	if err != nil {
		text = string(plain)
	}
	return cut(text), true
}
