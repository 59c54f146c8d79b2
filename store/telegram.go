package store

import (
	"context"
	"errors"

	"carillon/campaign"
)

// TelegramBot returns the integration whose bot a campaign's contacts are given
// links to: that of its first stage that speaks on Telegram, by the stage's own
// delivery before its alternatives; in a campaign without one, the only one
// of the workspace. It has a bot_username. ErrNotFound if there is none.
func (s *Store) TelegramBot(ctx context.Context, campaignID string) (campaign.Integration, error) {
	stages, err := s.Stages(ctx, campaignID)
	if err != nil {
		return campaign.Integration{}, err
	}
	for i := range stages {
		deliveries := []*campaign.Delivery{&stages[i].Delivery}
		for j := range stages[i].Alternatives {
			deliveries = append(deliveries, &stages[i].Alternatives[j].Delivery)
		}
		for _, d := range deliveries {
			bot, err := s.botOf(ctx, d)
			if err == nil || !errors.Is(err, ErrNotFound) {
				return bot, err
			}
		}
	}
	all, err := s.Integrations(ctx, Page{Limit: 500})
	if err != nil {
		return campaign.Integration{}, err
	}
	var only *campaign.Integration
	for i := range all.Items {
		if !isBot(&all.Items[i]) {
			continue
		}
		if only != nil {
			return campaign.Integration{}, ErrNotFound
		}
		only = &all.Items[i]
	}
	if only == nil {
		return campaign.Integration{}, ErrNotFound
	}
	return *only, nil
}

// botOf is the bot of a delivery on Telegram: its own integration, else its agent's.
func (s *Store) botOf(ctx context.Context, d *campaign.Delivery) (campaign.Integration, error) {
	if d.Channel != campaign.Telegram {
		return campaign.Integration{}, ErrNotFound
	}
	name := d.Integration
	if name == "" {
		agent, err := s.Agent(ctx, d.Agent)
		if err != nil {
			return campaign.Integration{}, err
		}
		name = agent.Integrations[string(campaign.Telegram)]
	}
	i, err := s.Integration(ctx, name)
	if err == nil && !isBot(&i) {
		err = ErrNotFound
	}
	return i, err
}

func isBot(i *campaign.Integration) bool {
	return i.Provider == "telegram" && i.Settings["bot_username"] != ""
}
