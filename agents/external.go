package agents

import "carillon/campaign"

// external is an agent outside this system: it reads messages from us and
// answers through POST /v1/sessions/{id}/answers and …/results.
type external struct{}

// Describe implements [Kind].
func (e external) Describe() Description {
	return Description{
		Kind: campaign.AgentExternal, Name: "External", Turns: e.Turns(),
		Hint:     "Another system answers, through the REST API.",
		Settings: []Field{}, Secrets: []Field{},
	}
}

// Turns implements [Kind].
func (external) Turns() bool { return false }

// Validate implements [Kind]; an external agent needs nothing.
func (external) Validate(*campaign.Agent) error { return nil }
