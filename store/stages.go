package store

import (
	"context"
	"fmt"
	"slices"

	"carillon/campaign"
)

// CreateStage appends a stage to its campaign.
func (s *Store) CreateStage(ctx context.Context, v campaign.Stage) (campaign.Stage, error) {
	err := s.write(ctx, func(c conn) error { return c.insertStage(ctx, &v) })
	if err != nil {
		return campaign.Stage{}, fmt.Errorf("create stage %q: %w", v.Name, err)
	}
	return v, nil
}

func (c conn) insertStage(ctx context.Context, v *campaign.Stage) error {
	if v.ID == "" {
		v.ID = newID("st_")
	}
	if v.CreatedAt.IsZero() {
		v.CreatedAt = c.s.now()
	}
	v.CreatedAt = at(v.CreatedAt)
	v.UpdatedAt, v.Version = v.CreatedAt, 1
	// The campaign's row is the lock that keeps positions apart.
	var found string
	if err := c.one(ctx, `select id from campaigns where id = $1`+c.s.dialect.locked, []any{v.CampaignID}, &found); err != nil {
		return err
	}
	err := c.one(ctx, `select coalesce(max(position), 0) + 1 from stages where campaign_id = $1`, []any{v.CampaignID}, &v.Position)
	if err != nil {
		return err
	}
	doc, err := encode(*v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into stages (id, campaign_id, name, position, doc) values ($1, $2, $3, $4, $5)`,
		v.ID, v.CampaignID, v.Name, v.Position, doc)
	if err != nil {
		return err
	}
	return c.nameStage(ctx, v)
}

// Stage reads one stage.
func (s *Store) Stage(ctx context.Context, campaignID, id string) (campaign.Stage, error) {
	var doc []byte
	if err := s.read().one(ctx, `select doc from stages where campaign_id = $1 and id = $2`, []any{campaignID, id}, &doc); err != nil {
		return campaign.Stage{}, fmt.Errorf("read stage %s: %w", id, err)
	}
	return decode[campaign.Stage](doc)
}

// StageByName reads one stage by its name.
func (s *Store) StageByName(ctx context.Context, campaignID, name string) (campaign.Stage, error) {
	var doc []byte
	if err := s.read().one(ctx, `select doc from stages where campaign_id = $1 and name = $2`, []any{campaignID, name}, &doc); err != nil {
		return campaign.Stage{}, fmt.Errorf("read stage %q: %w", name, err)
	}
	return decode[campaign.Stage](doc)
}

// Stages returns a campaign's stages in their order.
func (s *Store) Stages(ctx context.Context, campaignID string) ([]campaign.Stage, error) {
	stages, err := s.read().stages(ctx, campaignID)
	if err != nil {
		return nil, fmt.Errorf("read stages of campaign %s: %w", campaignID, err)
	}
	return stages, nil
}

func (c conn) stages(ctx context.Context, campaignID string) ([]campaign.Stage, error) {
	return collect(ctx, c, `select doc from stages where campaign_id = $1 order by position, id`, []any{campaignID}, scanDoc[campaign.Stage])
}

// UpdateStage changes a stage and counts its version up; ErrConflict if its new
// name is taken.
func (s *Store) UpdateStage(ctx context.Context, campaignID, id string, change func(*campaign.Stage) error) (campaign.Stage, error) {
	var v campaign.Stage
	err := s.write(ctx, func(c conn) error {
		var doc []byte
		err := c.one(ctx, `select doc from stages where campaign_id = $1 and id = $2`+s.dialect.locked, []any{campaignID, id}, &doc)
		if err != nil {
			return fmt.Errorf("read stage %s: %w", id, err)
		}
		if v, err = decode[campaign.Stage](doc); err != nil {
			return err
		}
		was := v
		if err := change(&v); err != nil {
			return err
		}
		v.ID, v.CampaignID, v.Position, v.CreatedAt = was.ID, was.CampaignID, was.Position, was.CreatedAt
		v.Version, v.UpdatedAt = was.Version+1, s.now()
		return c.putStage(ctx, &v)
	})
	if err != nil {
		return campaign.Stage{}, err
	}
	return v, nil
}

func (c conn) putStage(ctx context.Context, v *campaign.Stage) error {
	doc, err := encode(v)
	if err != nil {
		return err
	}
	if _, err = c.exec(ctx, `update stages set name = $2, position = $3, doc = $4 where id = $1`, v.ID, v.Name, v.Position, doc); err != nil {
		return fmt.Errorf("update stage %s: %w", v.ID, err)
	}
	return c.nameStage(ctx, v)
}

// nameStage remembers a stage's name for good: contacts keep the one their stage
// had. One that another stage had before is the newer one's.
func (c conn) nameStage(ctx context.Context, v *campaign.Stage) error {
	_, err := c.exec(ctx, `insert into stage_names (campaign_id, name, stage_id) values ($1, $2, $3)
		on conflict (campaign_id, name) do update set stage_id = excluded.stage_id`, v.CampaignID, v.Name, v.ID)
	if err != nil {
		return fmt.Errorf("name stage %s: %w", v.ID, err)
	}
	return nil
}

// OrderStages puts the stages of a campaign into the order of the ids.
func (s *Store) OrderStages(ctx context.Context, campaignID string, ids []string) error {
	err := s.write(ctx, func(c conn) error {
		var found string
		if err := c.one(ctx, `select id from campaigns where id = $1`+s.dialect.locked, []any{campaignID}, &found); err != nil {
			return err
		}
		stages, err := c.stages(ctx, campaignID)
		if err != nil {
			return err
		}
		if len(ids) != len(stages) {
			return fmt.Errorf("%w: %d ids for %d stages", ErrConflict, len(ids), len(stages))
		}
		for i := range stages {
			position := slices.Index(ids, stages[i].ID) + 1
			if position == 0 {
				return fmt.Errorf("%w: stage %s is not among the ids", ErrConflict, stages[i].ID)
			}
			if stages[i].Position == position {
				continue
			}
			stages[i].Position = position
			stages[i].Version++
			stages[i].UpdatedAt = s.now()
			if err := c.putStage(ctx, &stages[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("order stages of campaign %s: %w", campaignID, err)
	}
	return nil
}

// DeleteStage removes a stage that no communication needs and no contact is in.
func (s *Store) DeleteStage(ctx context.Context, campaignID, id string) error {
	err := s.write(ctx, func(c conn) error {
		var name string
		err := c.one(ctx, `select name from stages where campaign_id = $1 and id = $2`+s.dialect.locked, []any{campaignID, id}, &name)
		if err != nil {
			return err
		}
		var open, in int
		err = c.one(ctx, `select count(*) from (select 1 from communications where campaign_id = $1
			and status in ('PLANNED', 'STARTED', 'SENT', 'DELIVERED', 'READ', 'REPLIED') and (stage = $2 or stage_id = $3) limit 1) as x`,
			[]any{campaignID, cut(name), id}, &open)
		if err != nil {
			return err
		}
		err = c.one(ctx, `select count(*) from (select 1 from contacts where campaign_id = $1 and current_stage = $2 limit 1) as x`,
			[]any{campaignID, cut(name)}, &in)
		if err != nil {
			return err
		}
		if open+in > 0 {
			return fmt.Errorf("%w: contacts are in it or will be", ErrConflict)
		}
		_, err = c.exec(ctx, `delete from stages where id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete stage %s: %w", id, err)
	}
	return nil
}
