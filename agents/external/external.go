// Package external describes the agent outside this system: it reads messages
// from us and answers through POST /v1/sessions/{id}/answers and …/results. It
// imports packages agents and campaign.
package external

import (
	"carillon/agents"
	"carillon/campaign"
)

// Kind is the external agent.
type Kind struct{}

// Describe implements [agents.Kind].
func (Kind) Describe() agents.Description {
	return agents.Description{
		Kind: campaign.AgentExternal, Name: "External",
		Hint:     "Another system answers, through the REST API.",
		Settings: []agents.Field{}, Secrets: []agents.Field{},
	}
}

// Validate implements [agents.Kind]; an external agent needs nothing.
func (Kind) Validate(*campaign.Agent) error { return nil }

// Open implements [agents.Kind]: an external agent is given no turns.
func (Kind) Open(campaign.Agent, agents.Deps) (agents.Speaker, error) { return nil, agents.ErrNoTurns }
