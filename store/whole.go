package store

import (
	"context"
	"fmt"

	"carillon/campaign"
)

// Whole is a campaign with everything it runs with but its contacts.
type Whole struct {
	Campaign     campaign.Campaign
	Integrations []campaign.Integration
	Agents       []campaign.Agent
	Stages       []campaign.Stage // in their order
	Strategies   []campaign.Strategy
}

// CreateWhole adds all of it in one transaction; ErrConflict if a name is taken.
func (s *Store) CreateWhole(ctx context.Context, v Whole) error {
	err := s.write(ctx, func(c conn) error {
		for i := range v.Integrations {
			if err := c.insertIntegration(ctx, v.Integrations[i]); err != nil {
				return err
			}
		}
		for i := range v.Agents {
			if err := c.insertAgent(ctx, v.Agents[i]); err != nil {
				return err
			}
		}
		if err := c.insertCampaign(ctx, v.Campaign); err != nil {
			return err
		}
		for _, stage := range v.Stages {
			stage.CampaignID = v.Campaign.ID
			if err := c.insertStage(ctx, &stage); err != nil {
				return fmt.Errorf("create stage %q: %w", stage.Name, err)
			}
		}
		for _, strategy := range v.Strategies {
			strategy.CampaignID = v.Campaign.ID
			if err := c.insertStrategy(ctx, &strategy); err != nil {
				return fmt.Errorf("create strategy %q: %w", strategy.Name, err)
			}
		}
		return nil
	})
	return wrap(err, "create campaign %q with its parts", v.Campaign.Name)
}
