package activities

import (
	"encoding/json"

	"carillon/campaign"
	"carillon/strategies"
)

// StrategyJob is what every call of one strategy shares: its code, and the
// keyword arguments that are the campaign's.
func StrategyJob(c *campaign.Campaign, stages []campaign.Stage, s *campaign.Strategy, secrets map[string]campaign.Secret) strategies.Job {
	type stage struct {
		Name     string           `json:"name"`
		Channel  campaign.Channel `json:"channel"`
		Position int              `json:"position"`
	}
	list := make([]stage, len(stages))
	for i := range stages {
		list[i] = stage{stages[i].Name, stages[i].Delivery.Channel, stages[i].Position}
	}
	kwargs := map[string]any{
		"campaign": map[string]any{"id": c.ID, "name": c.Name, "timezone": c.Timezone, "labels": c.Labels},
		"stages":   list, "rules": c.Rules, "holidays": c.Rules.Holidays,
	}
	plain := map[string]string{}
	for name, v := range secrets {
		plain[name] = v.Reveal()
	}
	kwargs["secrets"] = plain
	raw, err := json.Marshal(kwargs)
	if err != nil { // plain data: cannot fail
		panic(err)
	}
	return strategies.Job{
		CampaignID: c.ID, Timezone: c.Timezone, Network: s.Network, Kwargs: raw,
		Source: strategies.Source{
			Key: s.Hash, Type: strategies.Type(s.Type), Function: s.Function, Filename: filename(s), Code: s.Code, Quarantined: s.Quarantined,
		},
	}
}
