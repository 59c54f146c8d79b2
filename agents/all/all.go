// Package all is the list of the kinds of agents this build has: adding one is
// one line here. Nobody but the wiring imports it.
package all

import (
	"carillon/agents"
	"carillon/agents/external"
)

// New makes the registry of every kind.
func New() *agents.Registry {
	return agents.NewRegistry(
		external.Kind{},
	)
}
