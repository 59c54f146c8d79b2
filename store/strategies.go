package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"carillon/campaign"
)

// CreateStrategy adds a strategy, version 1; ErrConflict if its type has one.
func (s *Store) CreateStrategy(ctx context.Context, v campaign.Strategy) (campaign.Strategy, error) {
	err := s.write(ctx, func(c conn) error { return c.insertStrategy(ctx, &v) })
	if err != nil {
		return campaign.Strategy{}, fmt.Errorf("create strategy %q: %w", v.Name, err)
	}
	return v, nil
}

func (c conn) insertStrategy(ctx context.Context, v *campaign.Strategy) error {
	if v.ID == "" {
		v.ID = newID("sg_")
	}
	if v.CreatedAt.IsZero() {
		v.CreatedAt = c.s.now()
	}
	v.CreatedAt = at(v.CreatedAt)
	v.UpdatedAt, v.Version, v.Hash, v.Quarantined = v.CreatedAt, 1, strategyHash(v), false
	doc, err := encode(*v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into strategies (id, campaign_id, type, doc) values ($1, $2, $3, $4)`, v.ID, v.CampaignID, string(v.Type), doc)
	if err != nil {
		return err
	}
	return c.putVersion(ctx, v)
}

// strategyHash names the content of a version.
func strategyHash(v *campaign.Strategy) string {
	sum := sha256.Sum256([]byte(v.Function + "\x00" + v.Code))
	return hex.EncodeToString(sum[:])
}

// putVersion writes the version of a strategy as it is now.
func (c conn) putVersion(ctx context.Context, v *campaign.Strategy) error {
	doc, err := encode(v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into strategy_versions (strategy_id, version, doc) values ($1, $2, $3)
		on conflict (strategy_id, version) do update set doc = excluded.doc`, v.ID, v.Version, doc)
	return err
}

// Strategy reads a strategy.
func (s *Store) Strategy(ctx context.Context, campaignID, id string) (campaign.Strategy, error) {
	var doc []byte
	if err := s.read().one(ctx, `select doc from strategies where campaign_id = $1 and id = $2`, []any{campaignID, id}, &doc); err != nil {
		return campaign.Strategy{}, fmt.Errorf("read strategy %s: %w", id, err)
	}
	return decode[campaign.Strategy](doc)
}

// ActiveStrategy reads the campaign's strategy of a type.
func (s *Store) ActiveStrategy(ctx context.Context, campaignID string, t campaign.StrategyType) (campaign.Strategy, error) {
	var doc []byte
	if err := s.read().one(ctx, `select doc from strategies where campaign_id = $1 and type = $2`, []any{campaignID, string(t)}, &doc); err != nil {
		return campaign.Strategy{}, fmt.Errorf("read %s strategy of campaign %s: %w", t, campaignID, err)
	}
	return decode[campaign.Strategy](doc)
}

// Strategies returns the strategies of a campaign.
func (s *Store) Strategies(ctx context.Context, campaignID string) ([]campaign.Strategy, error) {
	items, err := collect(ctx, s.read(), `select doc from strategies where campaign_id = $1 order by type`, []any{campaignID}, scanDoc[campaign.Strategy])
	if err != nil {
		return nil, fmt.Errorf("read strategies of campaign %s: %w", campaignID, err)
	}
	return items, nil
}

// UpdateStrategy changes a strategy; new code or another function is a new version.
func (s *Store) UpdateStrategy(ctx context.Context, campaignID, id string, change func(*campaign.Strategy) error) (campaign.Strategy, error) {
	var v campaign.Strategy
	err := s.write(ctx, func(c conn) error {
		var doc []byte
		err := c.one(ctx, `select doc from strategies where campaign_id = $1 and id = $2`+s.dialect.locked, []any{campaignID, id}, &doc)
		if err != nil {
			return fmt.Errorf("read strategy %s: %w", id, err)
		}
		if v, err = decode[campaign.Strategy](doc); err != nil {
			return err
		}
		was := v
		if err := change(&v); err != nil {
			return err
		}
		v.ID, v.CampaignID, v.CreatedAt, v.UpdatedAt = was.ID, was.CampaignID, was.CreatedAt, s.now()
		v.Version, v.Slow, v.Quarantined, v.Hash = was.Version, was.Slow, was.Quarantined, strategyHash(&v)
		if v.Hash != was.Hash {
			v.Version, v.Slow = was.Version+1, false
			if v.Quarantined, err = c.quarantined(ctx, id, v.Hash); err != nil {
				return err
			}
		}
		if err := c.putStrategy(ctx, &v); err != nil {
			return fmt.Errorf("update strategy %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return campaign.Strategy{}, err
	}
	return v, nil
}

func (c conn) putStrategy(ctx context.Context, v *campaign.Strategy) error {
	doc, err := encode(v)
	if err != nil {
		return err
	}
	if _, err = c.exec(ctx, `update strategies set type = $2, doc = $3 where id = $1`, v.ID, string(v.Type), doc); err != nil {
		return err
	}
	return c.putVersion(ctx, v)
}

// StrategyVersions returns every version of a strategy, the newest first.
func (s *Store) StrategyVersions(ctx context.Context, campaignID, id string) ([]campaign.Strategy, error) {
	items, err := collect(ctx, s.read(), `select v.doc from strategy_versions v join strategies s on s.id = v.strategy_id
		where s.campaign_id = $1 and s.id = $2 order by v.version desc`, []any{campaignID, id}, scanDoc[campaign.Strategy])
	if err == nil && len(items) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read versions of strategy %s: %w", id, err)
	}
	return items, nil
}

// DeleteStrategy removes a strategy and its versions; its runs stay.
func (s *Store) DeleteStrategy(ctx context.Context, campaignID, id string) error {
	n, err := s.direct().exec(ctx, `delete from strategies where campaign_id = $1 and id = $2`, campaignID, id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delete strategy %s: %w", id, err)
	}
	return nil
}

// MarkSlow says that a version of a strategy has exceeded the time of a quick one.
func (s *Store) MarkSlow(ctx context.Context, strategyID string, version int) error {
	err := s.write(ctx, func(c conn) error {
		var current, doc []byte
		err := c.one(ctx, `select s.doc, v.doc from strategies s join strategy_versions v on v.strategy_id = s.id
			where s.id = $1 and v.version = $2`+s.dialect.locked, []any{strategyID, version}, &current, &doc)
		if err != nil {
			return err
		}
		v, err := decode[campaign.Strategy](doc)
		if err != nil || v.Slow {
			return err
		}
		now, err := decode[campaign.Strategy](current)
		if err != nil {
			return err
		}
		if now.Version == version {
			now.Slow = true
			return c.putStrategy(ctx, &now)
		}
		v.Slow = true
		return c.putVersion(ctx, &v)
	})
	if err != nil {
		return fmt.Errorf("mark strategy %s slow: %w", strategyID, err)
	}
	return nil
}

// MarkQuarantined says that the code with this hash ended too many processes:
// every version of the campaign's strategies that has it is not to be run again.
func (s *Store) MarkQuarantined(ctx context.Context, campaignID, hash string) error {
	err := s.write(ctx, func(c conn) error {
		docs, err := collect(ctx, c, `select doc from strategies where campaign_id = $1 order by id`+s.dialect.locked, []any{campaignID}, scanDoc[campaign.Strategy])
		if err != nil {
			return err
		}
		for i := range docs {
			if err := c.markQuarantined(ctx, &docs[i], hash); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark strategy version %s of campaign %s quarantined: %w", hash, campaignID, err)
	}
	return nil
}

func (c conn) markQuarantined(ctx context.Context, now *campaign.Strategy, hash string) error {
	if now.Hash == hash && !now.Quarantined {
		now.Quarantined = true
		if err := c.putStrategy(ctx, now); err != nil {
			return err
		}
	}
	versions, err := c.versions(ctx, now.ID)
	if err != nil {
		return err
	}
	for i := range versions {
		v := &versions[i]
		if v.Hash != hash || v.Quarantined {
			continue
		}
		v.Quarantined = true
		if err := c.putVersion(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

func (c conn) versions(ctx context.Context, strategyID string) ([]campaign.Strategy, error) {
	return collect(ctx, c, `select doc from strategy_versions where strategy_id = $1 order by version`, []any{strategyID}, scanDoc[campaign.Strategy])
}

// quarantined reports whether an earlier version with the same code was.
func (c conn) quarantined(ctx context.Context, strategyID, hash string) (bool, error) {
	versions, err := c.versions(ctx, strategyID)
	return slices.ContainsFunc(versions, func(v campaign.Strategy) bool { return v.Hash == hash && v.Quarantined }), err
}

// Runs lists strategy runs, the newest first.
func (s *Store) Runs(ctx context.Context, f RunFilter, p Page) (List[campaign.StrategyRun], error) {
	var q query
	q.equal("campaign_id", f.CampaignID)
	q.equal("contact_id", f.ContactID)
	q.equal("status", f.Status)
	if f.Status == "error" {
		q.where("status = 'error'") // names the index of the failed ones
	}
	q.equal("type", string(f.Type))
	if f.Version != 0 {
		q.where("version = ?", f.Version)
	}
	items, err := list(ctx, s.read(), `select doc from strategy_runs`, &q, newest("at"), p,
		func(row scanner) (campaign.StrategyRun, position, error) {
			v, err := scanDoc[campaign.StrategyRun](row)
			return v, position{micros(v.At), v.ID}, err
		})
	if err != nil {
		return items, fmt.Errorf("list strategy runs: %w", err)
	}
	return items, nil
}
