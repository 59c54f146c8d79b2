package agents

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/campaign"
)

// MaxTime is the longest a turn may take: the engine gives it two minutes, of
// which some are for what is around it.
const MaxTime = 100 * time.Second

// Settings reads an agent's settings and collects what is wrong with them.
type Settings struct {
	agent *campaign.Agent
	Found []campaign.FieldError
}

// NewSettings begins to read; it reports settings that the kind does not have.
func NewSettings(a *campaign.Agent, d Description) *Settings {
	s := &Settings{agent: a}
	known := func(fields []Field, name string) bool {
		return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == name })
	}
	for _, name := range slices.Sorted(maps.Keys(a.Settings)) {
		if !known(d.Settings, name) {
			s.Add("settings."+name, "there is no such setting; there are %s", names(d.Settings))
		} else if strings.ContainsAny(a.Settings[name], "\r\n\x00") {
			s.Add("settings."+name, "it is more than one line")
		}
	}
	for _, f := range d.Settings {
		if f.Required && a.Settings[f.Name] == "" {
			s.Add("settings."+f.Name, "it is needed: %s", f.Hint)
		}
	}
	for _, f := range d.Secrets {
		if f.Required && !slices.Contains(a.SecretNames, f.Name) {
			s.Add("secrets."+f.Name, "it is needed: %s", f.Hint)
		}
	}
	for _, name := range a.SecretNames {
		if !known(d.Secrets, name) {
			s.Add("secrets."+name, "there is no such secret; there is %s", names(d.Secrets))
		}
	}
	return s
}

func names(fields []Field) string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return strings.Join(out, ", ")
}

// Add reports a problem.
func (s *Settings) Add(field, format string, args ...any) {
	s.Found = append(s.Found, campaign.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// Text returns a setting, or what it is if it is not set.
func (s *Settings) Text(name, unset string) string {
	if v := s.agent.Settings[name]; v != "" {
		return v
	}
	return unset
}

// Int returns a whole number between two others.
func (s *Settings) Int(name string, low, high, unset int) int {
	v := s.agent.Settings[name]
	if v == "" {
		return unset
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		s.Add("settings."+name, "%q is not a whole number from %d to %d", v, low, high)
		return unset
	}
	return n
}

// Float returns a number between two others; nil if it is not set.
func (s *Settings) Float(name string, low, high float64) *float64 {
	v := s.agent.Settings[name]
	if v == "" {
		return nil
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(n) || n < low || n > high {
		s.Add("settings."+name, "%q is not a number from %g to %g", v, low, high)
		return nil
	}
	return &n
}

// Time returns a duration from 1 s to [MaxTime].
func (s *Settings) Time(name string, unset time.Duration) time.Duration {
	v := s.agent.Settings[name]
	if v == "" {
		return unset
	}
	d, err := campaign.ParseDuration(v)
	if err != nil || time.Duration(d) < time.Second || time.Duration(d) > MaxTime {
		s.Add("settings."+name, "%q is not a duration from 1s to %ds", v, int(MaxTime.Seconds()))
		return unset
	}
	return time.Duration(d)
}

// URL returns the address of a server.
func (s *Settings) URL(name, unset string) *url.URL {
	v := s.Text(name, unset)
	if v == "" {
		return &url.URL{} // a required one is reported already
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		s.Add("settings."+name, "%q is not an address such as https://api.example.com", Redact(v, nil))
		return &url.URL{}
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		s.Add("settings."+name, "an address without a user, a query (?) or a fragment (#)")
	}
	return u
}

// Declarations reports what is wrong with an agent's states and result fields as
// such.
func (s *Settings) Declarations() {
	s.Found = append(s.Found, campaign.ValidateResultFields(s.agent.ResultFields)...)
	seen := map[string]bool{}
	begins := -1
	for i := range s.agent.States {
		v, at := &s.agent.States[i], fmt.Sprintf("states[%d]", i)
		switch {
		case strings.TrimSpace(v.Name) == "" || len(v.Name) > 200:
			s.Add(at+".name", "a state needs a name of at most 200 bytes")
		case seen[v.Name]:
			s.Add(at+".name", "there is another state %q", v.Name)
		}
		seen[v.Name] = true
		if v.Start && begins >= 0 {
			s.Add(at+".start", "states[%d] is the start already", begins)
		} else if v.Start {
			begins = i
		}
		if v.Say != "" || len(v.Replies) > 0 {
			s.Add(at, "say and replies are for scripted agents; this kind reads the state's instructions")
		}
	}
	if len(s.agent.States) > 100 {
		s.Add("states", "at most 100 states")
	}
}

// StateOf returns the state a session is in; nil for an agent without states.
// "" is where a conversation begins: the state marked so, else the first. An
// unknown one is a [*Failure] that lists the known ones.
func StateOf(a *campaign.Agent, name string) (*campaign.AgentState, error) {
	var first *campaign.AgentState
	var known []string
	for i := range a.States {
		v := &a.States[i]
		if v.Name == name || name == "" && v.Start {
			return v, nil
		}
		if first == nil {
			first = v
		}
		known = append(known, v.Name)
	}
	if name == "" || first == nil {
		return first, nil
	}
	return nil, &Failure{Permanent: true, Err: fmt.Errorf("the agent %s has no state %q; it has %s", a.Name, name, strings.Join(known, ", "))}
}

// FieldOf returns the declaration of a result; nil if there is none.
func FieldOf(a *campaign.Agent, name string) *campaign.ResultField {
	for i := range a.ResultFields {
		if a.ResultFields[i].Name == name {
			return &a.ResultFields[i]
		}
	}
	return nil
}
