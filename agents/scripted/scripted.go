// Package scripted is the agent that answers by rules: states, and in each of
// them replies to words, phrases and regular expressions. It asks nobody, so the
// same conversation always gets the same answers. It imports packages agents and
// campaign.
package scripted

import (
	"fmt"
	"strings"

	"carillon/agents"
	"carillon/campaign"
)

// Everywhere names the state whose replies count in every state, after those of
// the state itself.
const Everywhere = "*"

// Kind is the scripted agent.
type Kind struct{ texts agents.Templates }

// New makes the kind; texts writes what its agents say.
func New(texts agents.Templates) Kind { return Kind{texts} }

// Describe implements [agents.Kind].
func (Kind) Describe() agents.Description {
	return agents.Description{
		Kind: campaign.AgentScripted, Name: "Scripted",
		Hint:  "Answers by rules of yours: states, and in each the words to answer to.",
		Turns: true, Instant: true, Settings: []agents.Field{}, Secrets: []agents.Field{},
	}
}

// Open implements [agents.Kind]. What is wrong with the agent is found by
// Validate; here an agent that has no state at all is refused.
func (k Kind) Open(a campaign.Agent, _ agents.Deps) (agents.Speaker, error) {
	s := &speaker{texts: k.texts, agent: a}
	if s.start() < 0 {
		return nil, broken("the agent %s has no state to begin in", a.Name)
	}
	return s, nil
}

// broken is a failure that a person must mend.
func broken(format string, args ...any) *agents.Failure {
	return &agents.Failure{Permanent: true, Err: fmt.Errorf(format, args...)}
}

// start is the index of the state a conversation begins in unless its stage says
// otherwise: the one marked so, else the first; -1 if there is none.
func (s *speaker) start() int {
	first := -1
	for i := range s.agent.States {
		switch state := &s.agent.States[i]; {
		case state.Name == Everywhere:
		case state.Start:
			return i
		case first < 0:
			first = i
		}
	}
	return first
}

// find is the index of the state with the name; "" is where it starts. An
// unknown one is a failure that lists the known ones.
func (s *speaker) find(name string) (int, error) {
	if name == "" {
		return s.start(), nil
	}
	var known []string
	for i := range s.agent.States {
		switch state := &s.agent.States[i]; state.Name {
		case Everywhere:
		case name:
			return i, nil
		default:
			known = append(known, state.Name)
		}
	}
	return 0, broken("the agent %s has no state %q; it has %s", s.agent.Name, name, strings.Join(known, ", "))
}
