// Package all is the list of the kinds of agents this build has: adding one is
// one line here. Nobody but the wiring imports it.
package all

import (
	"carillon/agents"
	"carillon/agents/external"
	"carillon/agents/openai"
	"carillon/agents/scripted"
	"carillon/agents/webhook"
)

// New makes the registry of every kind; texts writes what agents say or are told.
func New(texts agents.Templates) *agents.Registry {
	return agents.NewRegistry(
		scripted.New(texts),
		openai.New(texts),
		webhook.Kind{},
		external.Kind{},
	)
}
