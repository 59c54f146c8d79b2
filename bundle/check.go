package bundle

import (
	"errors"
	"fmt"
	"slices"

	"carillon/campaign"
)

// check reports everything that can be told from the bundle alone.
func (b *Bundle) check() (found []campaign.FieldError) {
	add := func(field, format string, args ...any) {
		found = append(found, campaign.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if b.Version != Version {
		add("bundle", "begin with bundle: %d, the form this Carillon reads", Version)
	}
	var c campaign.Campaign
	b.Campaign.Into(&c)
	found = append(found, At("campaign", c.Validate())...)
	var stages []string
	for i := range b.Stages {
		at := fmt.Sprintf("stages[%d]", i)
		var s campaign.Stage
		b.Stages[i].Into(&s)
		found = append(found, At(at, s.Validate())...)
		for _, f := range s.Misplaced() {
			f.Field = at + "." + f.Field
			found = append(found, f)
		}
		if s.Name != "" && slices.Contains(stages, s.Name) {
			add(at+".name", "%q is there twice", s.Name)
		}
		stages = append(stages, s.Name)
	}
	if name := c.Rules.ExhaustedStage; name != "" && !slices.Contains(stages, name) {
		add("campaign.rules.exhausted_stage", "there is no stage %q in the bundle", name)
	}
	for i, name := range c.Success.Stages {
		if !slices.Contains(stages, name) {
			add(fmt.Sprintf("campaign.success.stages[%d]", i), "there is no stage %q in the bundle", name)
		}
	}
	types := map[campaign.StrategyType]bool{}
	for i := range b.Strategies {
		at := fmt.Sprintf("strategies[%d]", i)
		if b.Strategies[i].CodeFile != "" {
			add(at+".code_file", "files are read by the command line (carillon campaign apply); here the code itself is needed")
			continue
		}
		var s campaign.Strategy
		b.Strategies[i].Into(&s)
		found = append(found, At(at, s.Validate())...)
		if types[s.Type] {
			add(at+".type", "the bundle has a %s strategy already; a campaign has one of each type", s.Type)
		}
		types[s.Type] = true
	}
	return append(found, b.checkNamed()...)
}

// checkNamed checks the agents and integrations the bundle brings.
func (b *Bundle) checkNamed() (found []campaign.FieldError) {
	add := func(field, format string, args ...any) {
		found = append(found, campaign.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	names := map[string]bool{}
	for i := range b.Agents {
		at := fmt.Sprintf("agents[%d]", i)
		var a campaign.Agent
		b.Agents[i].Into(&a)
		found = append(found, At(at, a.Validate())...)
		if a.Status != campaign.AgentStopped && a.Status != campaign.AgentRunning {
			add(at+".status", "%q is not stopped or running", a.Status)
		}
		if names[a.Name] {
			add(at+".name", "%q is there twice", a.Name)
		}
		names[a.Name] = true
	}
	clear(names)
	for i := range b.Integrations {
		at := fmt.Sprintf("integrations[%d]", i)
		var v campaign.Integration
		b.Integrations[i].Into(&v)
		found = append(found, At(at, v.Validate())...)
		if names[v.Name] {
			add(at+".name", "%q is there twice", v.Name)
		}
		names[v.Name] = true
	}
	return found
}

// At is the problems of a record under the record's path. An error that names
// no field is a problem of the record itself.
func At(path string, err error) []campaign.FieldError {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*campaign.Error](err)
	if !ok || len(e.Fields) == 0 {
		return []campaign.FieldError{{Field: path, Message: err.Error()}}
	}
	out := slices.Clone(e.Fields)
	for i := range out {
		out[i].Field = path + "." + out[i].Field
	}
	return out
}
