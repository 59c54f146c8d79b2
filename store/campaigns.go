package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carillon/campaign"
)

// CreateCampaign adds a campaign; ErrConflict if the id is taken.
func (s *Store) CreateCampaign(ctx context.Context, v campaign.Campaign) error {
	err := s.write(ctx, func(c conn) error { return c.insertCampaign(ctx, v) })
	if err != nil {
		return fmt.Errorf("create campaign %s: %w", v.ID, err)
	}
	return nil
}

func (c conn) insertCampaign(ctx context.Context, v campaign.Campaign) error {
	c.s.tidyCampaign(&v)
	doc, err := encode(v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into campaigns (id, status, created_at, search, doc) values ($1, $2, $3, $4, $5)`,
		v.ID, string(v.Status), micros(v.CreatedAt), campaignSearch(&v), doc)
	if err != nil {
		return err
	}
	return c.indexFields(ctx, &v)
}

func (s *Store) tidyCampaign(v *campaign.Campaign) {
	if v.CreatedAt.IsZero() {
		v.CreatedAt = s.now()
	}
	if v.UpdatedAt.IsZero() {
		v.UpdatedAt = v.CreatedAt
	}
	if v.Version == 0 {
		v.Version = 1
	}
	v.CreatedAt, v.UpdatedAt = at(v.CreatedAt), at(v.UpdatedAt)
	v.StartedAt, v.StoppedAt, v.FinishedAt = atPtr(v.StartedAt), atPtr(v.StoppedAt), atPtr(v.FinishedAt)
}

func campaignSearch(v *campaign.Campaign) string {
	return strings.ToLower(strings.Join(append([]string{v.Name, v.Description}, v.Labels...), "\n"))
}

// Campaign reads a campaign.
func (s *Store) Campaign(ctx context.Context, id string) (campaign.Campaign, error) {
	var doc []byte
	if err := s.read().one(ctx, `select doc from campaigns where id = $1`, []any{id}, &doc); err != nil {
		return campaign.Campaign{}, fmt.Errorf("read campaign %s: %w", id, err)
	}
	return decode[campaign.Campaign](doc)
}

// Campaigns lists campaigns, the newest first.
func (s *Store) Campaigns(ctx context.Context, f CampaignFilter, p Page) (List[campaign.Campaign], error) {
	var q query
	q.equal("status", string(f.Status))
	if f.Query != "" {
		q.where(`search like ? escape '\'`, "%"+likeEscaper.Replace(strings.ToLower(f.Query))+"%")
	}
	items, err := list(ctx, s.read(), `select doc from campaigns`, &q, newest("created_at"), p,
		func(row scanner) (campaign.Campaign, position, error) {
			v, err := scanDoc[campaign.Campaign](row)
			return v, position{micros(v.CreatedAt), v.ID}, err
		})
	if err != nil {
		return items, fmt.Errorf("list campaigns: %w", err)
	}
	return items, nil
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// UpdateCampaign changes a campaign and counts its version up.
func (s *Store) UpdateCampaign(ctx context.Context, id string, change func(*campaign.Campaign) error) (campaign.Campaign, error) {
	var v campaign.Campaign
	err := s.write(ctx, func(c conn) error {
		var doc []byte
		err := c.one(ctx, `select doc from campaigns where id = $1`+s.dialect.locked, []any{id}, &doc)
		if err != nil {
			return fmt.Errorf("read campaign %s: %w", id, err)
		}
		if v, err = decode[campaign.Campaign](doc); err != nil {
			return err
		}
		version := v.Version
		if err := change(&v); err != nil {
			return err
		}
		v.ID, v.Version, v.UpdatedAt = id, version+1, s.now()
		s.tidyCampaign(&v)
		text, err := encode(v)
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `update campaigns set status = $2, search = $3, doc = $4 where id = $1`, id, string(v.Status), campaignSearch(&v), text)
		if err != nil {
			return fmt.Errorf("update campaign %s: %w", id, err)
		}
		return c.indexFields(ctx, &v)
	})
	if err != nil {
		return campaign.Campaign{}, err
	}
	return v, nil
}

// indexFields keeps which fields of a campaign are indexed. One that is newly
// indexed is filled from the contacts there are.
func (c conn) indexFields(ctx context.Context, v *campaign.Campaign) error {
	was, err := c.indexedFields(ctx, v.ID)
	if err != nil {
		return err
	}
	var is []string
	for _, f := range v.Fields {
		if f.Indexed {
			is = append(is, f.Name)
		}
	}
	for _, name := range was {
		if slices.Contains(is, name) {
			continue
		}
		for _, statement := range []string{
			`delete from campaign_fields where campaign_id = $1 and name = $2`,
			`delete from contact_fields where campaign_id = $1 and name = $2`,
		} {
			if _, err := c.exec(ctx, statement, v.ID, name); err != nil {
				return err
			}
		}
	}
	for _, name := range is {
		if slices.Contains(was, name) {
			continue
		}
		if _, err := c.exec(ctx, `insert into campaign_fields (campaign_id, name) values ($1, $2) on conflict do nothing`, v.ID, name); err != nil {
			return err
		}
		if err := c.fillField(ctx, v.ID, name); err != nil {
			return err
		}
	}
	return nil
}

func (c conn) fillField(ctx context.Context, campaignID, name string) error {
	for after := ""; ; {
		contacts, err := collect(ctx, c, `select doc from contacts where campaign_id = $1 and id > $2 order by id limit 1000`,
			[]any{campaignID, after}, scanDoc[campaign.Contact])
		if err != nil || len(contacts) == 0 {
			return err
		}
		var rows []fieldJSON
		for i := range contacts {
			after = contacts[i].ID
			if value, ok := fieldValue(&contacts[i], name); ok {
				rows = append(rows, fieldJSON{campaignID, name, value, after})
			}
		}
		if err := c.putFields(ctx, rows); err != nil {
			return err
		}
	}
}

// DeleteCampaign removes a campaign and everything in it, in portions; one that
// was interrupted goes on when it is called again.
func (s *Store) DeleteCampaign(ctx context.Context, id string) error {
	if _, err := s.Campaign(ctx, id); err != nil {
		return fmt.Errorf("delete campaign %s: %w", id, err)
	}
	for left := true; left; {
		err := s.write(ctx, func(c conn) error {
			contacts, err := collect(ctx, c, `select `+contactRowColumns+` from contacts c where c.campaign_id = $1 order by c.id limit 500`+s.dialect.locked,
				[]any{id}, scanContactRow)
			left = len(contacts) > 0
			if err != nil || !left {
				return err
			}
			return c.dropContacts(ctx, contacts)
		})
		if err != nil {
			return fmt.Errorf("delete contacts of campaign %s: %w", id, err)
		}
	}
	err := s.write(ctx, func(c conn) error {
		for _, statement := range []string{
			`delete from import_chunks where import_id in (select id from imports where campaign_id = $1)`,
			`delete from import_errors where import_id in (select id from imports where campaign_id = $1)`,
			`delete from import_pending where import_id in (select id from imports where campaign_id = $1)`,
			`delete from imports where campaign_id = $1`,
			`delete from strategy_runs where campaign_id = $1`,
			`delete from contact_fields where campaign_id = $1`,
			`delete from campaign_fields where campaign_id = $1`,
			`delete from outbox where campaign_id = $1`,
			`delete from jobs where campaign_id = $1`,
			`delete from secrets where owner = 'campaigns' and owner_id = $1`,
			`delete from tally_deltas where campaign_id = $1`,
			`delete from tallies where campaign_id = $1`,
			`delete from tally_hours where campaign_id = $1`,
			`delete from tally_todo where campaign_id = $1`,
			`delete from stage_names where campaign_id = $1`,
			`delete from campaigns where id = $1`, // takes stages and strategies along
		} {
			if _, err := c.exec(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete campaign %s: %w", id, err)
	}
	return nil
}

// SetCampaignSecrets sets secrets for the campaign's strategies.
func (s *Store) SetCampaignSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error {
	err := s.write(ctx, func(c conn) error {
		var found string
		if err := c.one(ctx, `select id from campaigns where id = $1`, []any{id}, &found); err != nil {
			return err
		}
		_, err := c.putSecrets(ctx, "campaigns", id, secrets)
		return err
	})
	if err != nil {
		return fmt.Errorf("save secrets of campaign %s: %w", id, err)
	}
	return nil
}

// CampaignSecrets opens the secrets of a campaign.
func (s *Store) CampaignSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error) {
	return s.secrets(ctx, "campaigns", id)
}

// Settings returns the workspace's settings, {} if none were put.
func (s *Store) Settings(ctx context.Context) (json.RawMessage, error) {
	var doc []byte
	err := s.read().one(ctx, `select doc from settings where id = 1`, nil, &doc)
	if errors.Is(err, ErrNotFound) {
		return json.RawMessage("{}"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return doc, nil
}

// PutSettings replaces the workspace's settings.
func (s *Store) PutSettings(ctx context.Context, doc json.RawMessage) error {
	_, err := s.direct().exec(ctx, `insert into settings (id, doc) values (1, $1) on conflict (id) do update set doc = excluded.doc`, rawOr(doc, "{}"))
	if err != nil {
		return fmt.Errorf("save settings: %w", err)
	}
	return nil
}
