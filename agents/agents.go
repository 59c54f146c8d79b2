// Package agents is the contract with whoever talks in a session: which kinds
// of agents this build can run, what each of them needs, and who of them is
// given turns. It imports package campaign and nothing of the engine.
package agents

import (
	"strings"

	"carillon/campaign"
)

// Field describes one thing a user fills in.
type Field struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Hint     string `json:"hint,omitempty"`
	Required bool   `json:"required"`
	Secret   bool   `json:"secret,omitempty"`
}

// Description is a kind of agent about itself.
type Description struct {
	Kind     campaign.AgentKind `json:"kind"`
	Name     string             `json:"name"`
	Hint     string             `json:"hint"`
	Turns    bool               `json:"turns"`
	Settings []Field            `json:"settings"`
	Secrets  []Field            `json:"secrets"`
}

// Kind is one kind of agent.
type Kind interface {
	Describe() Description
	// Turns reports whether the engine asks the agent for an answer to every
	// message. One that has no turns answers by itself, through the REST API.
	Turns() bool
	// Validate reports every field of the agent that breaks a rule of the kind,
	// as a [*campaign.Error].
	Validate(a *campaign.Agent) error
}

// Kinds lists the kinds this build can run.
func Kinds() []Kind { return []Kind{external{}} }

// Of returns the kind, and whether this build can run it.
func Of(kind campaign.AgentKind) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Describe().Kind == kind {
			return k, true
		}
	}
	return nil, false
}

// Validate reports every field of the agent that breaks a rule, those of its
// kind among them. A kind this build cannot run is refused, and the message
// lists the ones it can.
func Validate(a *campaign.Agent) error {
	if err := a.Validate(); err != nil {
		return err
	}
	k, ok := Of(a.Kind)
	if !ok {
		var names []string
		for _, k := range Kinds() {
			names = append(names, string(k.Describe().Kind))
		}
		return campaign.Invalid("kind", "this build cannot run an agent of kind %s; it can run: %s", a.Kind, strings.Join(names, ", "))
	}
	return k.Validate(a)
}
