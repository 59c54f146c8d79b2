package scripted

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"carillon/agents"
	"carillon/campaign"
)

// Limits of a script.
const (
	MaxStates       = 100
	MaxReplies      = 200     // in one state
	MaxMatches      = 100     // of one reply
	MaxPatternBytes = 500     // of one of them
	MaxSayBytes     = 10_000  // of a text
	MaxResultsBytes = 8 << 10 // of a reply's results, as JSON
	MaxScriptBytes  = 1 << 20 // of all states, as JSON
	maxNameBytes    = 200
	maxReasonBytes  = 500
)

// own are results that every agent may set: they are the engine's.
var own = []string{"OutcomeStatus"}

// checker collects what is wrong with one agent.
type checker struct {
	texts agents.Templates
	agent *campaign.Agent
	found []campaign.FieldError
}

func (c *checker) add(field, format string, args ...any) {
	c.found = append(c.found, campaign.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// Validate implements [agents.Kind].
func (k Kind) Validate(a *campaign.Agent) error {
	c := &checker{texts: k.texts, agent: a}
	for _, name := range slices.Sorted(maps.Keys(a.Settings)) {
		c.add("settings."+name, "a scripted agent has no settings")
	}
	c.resultFields()
	c.states()
	if len(c.found) == 0 {
		return nil
	}
	return &campaign.Error{Code: campaign.CodeInvalid, Message: "the agent is not valid", Fields: c.found}
}

func (c *checker) resultFields() {
	seen := map[string]bool{}
	for i := range c.agent.ResultFields {
		f, at := &c.agent.ResultFields[i], fmt.Sprintf("result_fields[%d]", i)
		c.found = append(c.found, f.Validate(at)...)
		if seen[f.Name] {
			c.add(at+".name", "%q is there twice", f.Name)
		}
		seen[f.Name] = true
	}
}

func (c *checker) states() {
	states := c.agent.States
	if len(states) > MaxStates {
		c.add("states", "at most %d states", MaxStates)
		return
	}
	if raw, err := json.Marshal(states); err != nil || len(raw) > MaxScriptBytes {
		c.add("states", "at most %d KiB as JSON, all of them together", MaxScriptBytes>>10)
		return
	}
	seen, begins := map[string]bool{}, -1
	for i := range states {
		s, at := &states[i], fmt.Sprintf("states[%d]", i)
		switch {
		case strings.TrimSpace(s.Name) == "":
			c.add(at+".name", "a state needs a name")
		case len(s.Name) > maxNameBytes:
			c.add(at+".name", "at most %d bytes", maxNameBytes)
		case seen[s.Name]:
			c.add(at+".name", "there is another state %q", s.Name)
		}
		seen[s.Name] = true
		switch {
		case s.Start && s.Name == Everywhere:
			c.add(at+".start", "the state * is no place: its replies count in every state")
		case s.Start && begins >= 0:
			c.add(at+".start", "states[%d] is the start already", begins)
		case s.Start:
			begins = i
		}
		if s.Say != "" && s.Name == Everywhere {
			c.add(at+".say", "no session opens in the state *")
		}
		c.text(at+".say", s.Say)
	}
	if !slices.ContainsFunc(states, func(s campaign.AgentState) bool { return s.Name != Everywhere }) {
		c.add("states", "a scripted agent needs a state to begin in")
	}
	for i := range states {
		c.replies(fmt.Sprintf("states[%d]", i), &states[i])
	}
}

func (c *checker) replies(at string, s *campaign.AgentState) {
	if len(s.Replies) > MaxReplies {
		c.add(at+".replies", "at most %d replies in a state", MaxReplies)
		return
	}
	cost, last := 0, -1
	for i := range s.Replies {
		r, here := &s.Replies[i], fmt.Sprintf("%s.replies[%d]", at, i)
		if len(r.Match) == 0 {
			if last >= 0 {
				c.add(here+".match", "replies[%d] has none either: only one reply is for when nothing else matches", last)
			}
			last = i
		}
		cost += c.reply(here, r)
	}
	if cost > maxState {
		c.add(at+".replies", "the expressions are too complicated together (%d steps, at most %d)", cost, maxState)
	}
}

// reply checks one reply and returns what its expressions cost.
func (c *checker) reply(at string, r *campaign.AgentReply) int {
	c.text(at+".say", r.Say)
	if r.State != "" && (r.State == Everywhere || !slices.ContainsFunc(c.agent.States, func(s campaign.AgentState) bool { return s.Name == r.State })) {
		c.add(at+".state", "there is no state %q to go to", r.State)
	}
	if r.End != "" && !r.End.Ended() {
		c.add(at+".end", "%q is not one of %s", r.End, join(campaign.SessionEnds))
	}
	if r.End != "" && r.HandOff {
		c.add(at+".hand_off", "a session that ends is not handed to a person: set end or hand_off")
	}
	switch {
	case len(r.Reason) > maxReasonBytes:
		c.add(at+".reason", "at most %d bytes", maxReasonBytes)
	case r.Reason != "" && r.End == "" && !r.HandOff:
		c.add(at+".reason", "the reason of what? Set end or hand_off")
	}
	patterns, cost := c.matches(at, r)
	c.results(at, r, patterns)
	return cost
}

func (c *checker) matches(at string, r *campaign.AgentReply) (patterns []pattern, cost int) {
	if len(r.Match) > MaxMatches {
		c.add(at+".match", "at most %d entries", MaxMatches)
		return nil, 0
	}
	for i, entry := range r.Match {
		here := fmt.Sprintf("%s.match[%d]", at, i)
		if len(entry) > MaxPatternBytes {
			c.add(here, "at most %d bytes", MaxPatternBytes)
			continue
		}
		p, err := compile(entry)
		if err != nil {
			c.add(here, "%v", err)
			continue
		}
		patterns = append(patterns, p)
		cost += p.cost
	}
	return patterns, cost
}

// results checks that constants are of their fields' types, and that each $1
// has a group.
func (c *checker) results(at string, r *campaign.AgentReply, patterns []pattern) {
	if raw, err := json.Marshal(r.Results); err != nil || len(raw) > MaxResultsBytes {
		c.add(at+".results", "at most %d KiB as JSON", MaxResultsBytes>>10)
		return
	}
	if len(r.Match) == 0 {
		patterns = []pattern{{}}
	}
	s := speaker{agent: *c.agent}
	for _, name := range r.Results.Keys() {
		here := at + ".results." + name
		if !c.declared(name) {
			c.add(here, "result_fields has no %s; it has %s", name, c.fields())
			continue
		}
		ref := captured.FindStringSubmatch(r.Results.Text(name))
		switch {
		case ref == nil:
			if err := s.field(name).Check(r.Results[name]); err != nil {
				c.add(here, "%v", err)
			}
		case len(patterns) > 0 && !slices.ContainsFunc(patterns, func(p pattern) bool { return p.group(ref[1]) >= 0 }):
			c.add(here, "no expression in match has a group %s", ref[1])
		}
	}
}

// declared reports whether a result may be set: any may where none is declared.
func (c *checker) declared(name string) bool {
	return len(c.agent.ResultFields) == 0 || slices.Contains(own, name) ||
		slices.ContainsFunc(c.agent.ResultFields, func(f campaign.ResultField) bool { return f.Name == name })
}

func (c *checker) fields() string {
	var names []string
	for _, f := range c.agent.ResultFields {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

func (c *checker) text(field, source string) {
	if len(source) > MaxSayBytes {
		c.add(field, "at most %d bytes", MaxSayBytes)
		return
	}
	if source != "" {
		c.found = append(c.found, c.texts.CheckText(field, source)...)
	}
}

func join(statuses []campaign.SessionStatus) string {
	names := make([]string, len(statuses))
	for i, s := range statuses {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}
