package bundle

import (
	"carillon/campaign"
)

// FromCampaign is the campaign as a bundle says it.
func FromCampaign(c *campaign.Campaign) Campaign {
	return Campaign{
		Name: c.Name, Description: c.Description, Labels: c.Labels, Timezone: zone(c.Timezone), Fields: c.Fields,
		Rules: c.Rules, Success: c.Success, Egress: c.Egress,
	}
}

// Into sets what the bundle says of the campaign.
func (b Campaign) Into(c *campaign.Campaign) {
	c.Name, c.Description, c.Labels, c.Timezone, c.Fields = b.Name, b.Description, b.Labels, zone(b.Timezone), b.Fields
	c.Rules, c.Success, c.Egress = b.Rules, b.Success, b.Egress
}

func zone(name string) string {
	if name == "" {
		return "UTC"
	}
	return name
}

// FromStage is the stage as a bundle says it.
func FromStage(s *campaign.Stage) Stage {
	b := Stage{
		Name: s.Name, Description: s.Description, SessionTimeout: s.SessionTimeout, SendIf: s.SendIf, Outcome: s.Outcome,
		Weight: fromWeight(s.Weight), Delivery: s.Delivery, ResultFields: s.ResultFields,
	}
	for _, a := range s.Alternatives {
		b.Alternatives = append(b.Alternatives, Alternative{Label: a.Label, Weight: fromWeight(a.Weight), Fallback: a.Fallback, Delivery: a.Delivery})
	}
	return b
}

// Into sets what the bundle says of the stage.
func (b *Stage) Into(s *campaign.Stage) {
	s.Name, s.Description, s.SessionTimeout, s.SendIf, s.Outcome = b.Name, b.Description, b.SessionTimeout, b.SendIf, b.Outcome
	s.Weight, s.Delivery, s.ResultFields = weight(b.Weight), b.Delivery, b.ResultFields
	s.Alternatives = make([]campaign.Alternative, 0, len(b.Alternatives))
	for _, a := range b.Alternatives {
		s.Alternatives = append(s.Alternatives, campaign.Alternative{Label: a.Label, Weight: weight(a.Weight), Fallback: a.Fallback, Delivery: a.Delivery})
	}
}

// Deliveries lists the stage's own delivery and those of its alternatives.
func (b *Stage) Deliveries() []*campaign.Delivery {
	out := []*campaign.Delivery{&b.Delivery}
	for i := range b.Alternatives {
		out = append(out, &b.Alternatives[i].Delivery)
	}
	return out
}

func fromWeight(w float64) *float64 {
	if w == 1 {
		return nil
	}
	return &w
}

func weight(w *float64) float64 {
	if w == nil {
		return 1
	}
	return *w
}

// FromStrategy is the strategy as a bundle says it.
func FromStrategy(s *campaign.Strategy) Strategy {
	b := Strategy{Name: s.Name, Type: s.Type, Function: s.Function, Network: s.Network, Code: s.Code}
	if b.Name == string(b.Type) {
		b.Name = ""
	}
	if b.Function == b.Type.DefaultFunction() {
		b.Function = ""
	}
	return b
}

// Into sets what the bundle says of the strategy.
func (b *Strategy) Into(s *campaign.Strategy) {
	s.Name, s.Type, s.Function, s.Network, s.Code = b.Name, b.Type, b.Function, b.Network, b.Code
	if s.Name == "" {
		s.Name = string(b.Type)
	}
	if s.Function == "" {
		s.Function = b.Type.DefaultFunction()
	}
}

// FromAgent is the agent as a bundle says it.
func FromAgent(a *campaign.Agent) Agent {
	status := a.Status
	if status.Runs() { // that it gives no answers just now is not the bundle's business
		status = campaign.AgentRunning
	}
	return Agent{
		Name: a.Name, Kind: a.Kind, Status: status, Instructions: a.Instructions, States: a.States, ResultFields: a.ResultFields,
		Integrations: a.Integrations, MaxSessions: a.MaxSessions, DailySessions: a.DailySessions, Settings: a.Settings,
	}
}

// Into sets what the bundle says of the agent. A status that is not set is stopped.
func (b *Agent) Into(a *campaign.Agent) {
	a.Name, a.Kind, a.Status, a.Instructions, a.States, a.ResultFields = b.Name, b.Kind, b.Status, b.Instructions, b.States, b.ResultFields
	a.Integrations, a.MaxSessions, a.DailySessions, a.Settings = b.Integrations, b.MaxSessions, b.DailySessions, b.Settings
	if a.Status == "" {
		a.Status = campaign.AgentStopped
	}
}

// FromIntegration is the integration as a bundle says it.
func FromIntegration(i *campaign.Integration) Integration {
	return Integration{Name: i.Name, Provider: i.Provider, Settings: i.Settings, RatePerSecond: i.RatePerSecond}
}

// Into sets what the bundle says of the integration.
func (b *Integration) Into(i *campaign.Integration) {
	i.Name, i.Provider, i.Settings, i.RatePerSecond = b.Name, b.Provider, b.Settings, b.RatePerSecond
}
