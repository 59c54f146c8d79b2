package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"carillon/bundle"
	"carillon/campaign"
	"carillon/store"
)

// taking is a bundle on its way into the store.
type taking struct {
	s       *Server
	b       *bundle.Bundle
	dry     bool
	c       campaign.Campaign
	changes []Change

	agents       []campaign.Agent // of the bundle that there are not yet
	integrations []campaign.Integration
	kept         []Change
}

func (t *taking) note(action, kind, name, detail string) {
	t.changes = append(t.changes, Change{action, kind, name, detail})
}

// inspect checks the bundle against this server: everything that could keep a
// part of it from being saved.
func (t *taking) inspect(ctx context.Context) error {
	var found []campaign.FieldError
	for _, check := range []func(context.Context) ([]campaign.FieldError, error){t.inspectIntegrations, t.inspectAgents, t.inspectStages, t.inspectStrategies} {
		more, err := check(ctx)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	if len(found) > 0 {
		return t.b.Problems(found)
	}
	return nil
}

func (t *taking) inspectIntegrations(ctx context.Context) (found []campaign.FieldError, err error) {
	for i := range t.b.Integrations {
		at := fmt.Sprintf("integrations[%d]", i)
		v := campaign.Integration{ID: newID("in_"), Status: "ok", CreatedAt: t.s.now()}
		t.b.Integrations[i].Into(&v)
		there, err := t.s.Store.Integration(ctx, v.Name)
		switch {
		case err == nil && there.Name == v.Name:
			t.keep("integration", v.Name, differs(bundle.FromIntegration(&there), t.b.Integrations[i]))
			continue
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
		found = append(found, bundle.At(at, t.s.checkIntegration(&v, nil))...)
		if p, ok := t.s.Channels.Provider(v.Provider); ok && len(p.Describe().Secrets) > 0 {
			found = append(found, campaign.FieldError{Field: at + ".provider", Message: fmt.Sprintf("there is no integration %q and a bundle cannot make one of %s, which needs secrets: create it first", v.Name, v.Provider)})
		}
		t.integrations = append(t.integrations, v)
	}
	return found, nil
}

// integration finds an integration there is or will be, for a channel: its id, or
// what is wrong.
func (t *taking) integration(ctx context.Context, name string, ch campaign.Channel) (id, problem string, err error) {
	i := slices.IndexFunc(t.integrations, func(v campaign.Integration) bool { return v.Name == name })
	var v campaign.Integration
	if i >= 0 {
		v = t.integrations[i]
	} else if v, err = t.s.Store.Integration(ctx, name); errors.Is(err, store.ErrNotFound) {
		return "", fmt.Sprintf("there is no integration %q here, and the bundle brings none", name), nil
	} else if err != nil {
		return "", "", err
	}
	return v.ID, t.s.notCarried(&v, ch), nil
}

func (t *taking) inspectAgents(ctx context.Context) (found []campaign.FieldError, err error) {
	for i := range t.b.Agents {
		at := fmt.Sprintf("agents[%d]", i)
		a := campaign.Agent{ID: newID("ag_"), CreatedAt: t.s.now()}
		t.b.Agents[i].Into(&a)
		ids := map[string]string{}
		for _, ch := range slices.Sorted(maps.Keys(a.Integrations)) {
			id, problem, err := t.integration(ctx, a.Integrations[ch], campaign.Channel(ch))
			if err != nil {
				return nil, err
			}
			if problem != "" {
				found = append(found, campaign.FieldError{Field: at + ".integrations." + ch, Message: problem})
			}
			ids[ch] = id
		}
		a.Integrations = ids
		there, err := t.s.Store.Agent(ctx, a.Name)
		switch {
		case err == nil && there.Name == a.Name:
			is := bundle.FromAgent(&there)
			if is.Status == campaign.AgentStopped && t.b.Agents[i].Status == "" {
				is.Status = ""
			}
			want := t.b.Agents[i]
			want.Integrations = ids
			t.keep("agent", a.Name, differs(is, want))
			continue
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, err
		}
		found = append(found, bundle.At(at, t.s.Agents.Validate(&a))...)
		t.agents = append(t.agents, a)
	}
	return found, nil
}

func (t *taking) keep(kind, name, detail string) {
	if detail != "" {
		t.kept = append(t.kept, Change{"kept", kind, name, detail})
	}
}

func (t *taking) inspectStages(ctx context.Context) (found []campaign.FieldError, err error) {
	for i := range t.b.Stages {
		var stage campaign.Stage
		t.b.Stages[i].Into(&stage)
		at := fmt.Sprintf("stages[%d]", i)
		for _, f := range t.s.Renderer.Check(stage) {
			f.Line, f.Column = 0, 0 // of the template; the bundle's is found again
			f.Field = at + "." + f.Field
			found = append(found, f)
		}
		for _, d := range deliveries(&stage) {
			if name := d.delivery.Agent; name != "" && !slices.ContainsFunc(t.agents, func(a campaign.Agent) bool { return a.Name == name }) {
				if _, err := t.s.Store.Agent(ctx, name); errors.Is(err, store.ErrNotFound) {
					found = append(found, campaign.FieldError{Field: at + "." + d.at + ".agent", Message: fmt.Sprintf("there is no agent %q here, and the bundle brings none", name)})
				} else if err != nil {
					return nil, err
				}
			}
			if name := d.delivery.Integration; name != "" {
				id, problem, err := t.integration(ctx, name, d.delivery.Channel)
				if err != nil {
					return nil, err
				}
				missing := id == ""
				if problem != "" && (!missing || t.s.Mode != ModeOutbox) && (missing || hasProvider(d.delivery.Channel)) {
					found = append(found, campaign.FieldError{Field: at + "." + d.at + ".integration", Message: problem})
				}
			}
		}
	}
	return found, nil
}

func (t *taking) inspectStrategies(ctx context.Context) (found []campaign.FieldError, err error) {
	for i := range t.b.Strategies {
		var v campaign.Strategy
		t.b.Strategies[i].Into(&v)
		err := t.s.vet(ctx, &v)
		if _, invalid := errors.AsType[*campaign.Error](err); err != nil && !invalid {
			return nil, err
		}
		found = append(found, bundle.At(fmt.Sprintf("strategies[%d]", i), err)...)
	}
	return found, nil
}

// create makes a new campaign, all or nothing.
func (t *taking) create(ctx context.Context) error {
	now := t.s.now()
	t.c = campaign.Campaign{ID: newID("cp_"), Status: campaign.Draft, Version: 1, CreatedAt: now, UpdatedAt: now}
	t.b.Campaign.Into(&t.c)
	w := store.Whole{Campaign: t.c, Agents: t.agents, Integrations: t.integrations}
	t.noteNamed()
	t.note("created", "campaign", t.c.Name, "")
	for i := range t.b.Stages {
		stage := campaign.Stage{ID: newID("st_"), CreatedAt: now}
		t.b.Stages[i].Into(&stage)
		w.Stages = append(w.Stages, stage)
		t.note("created", "stage", stage.Name, string(stage.Delivery.Channel))
	}
	for i := range t.b.Strategies {
		v := campaign.Strategy{ID: newID("sg_"), CreatedAt: now}
		t.b.Strategies[i].Into(&v)
		w.Strategies = append(w.Strategies, v)
		t.note("created", "strategy", v.Name, "version 1")
	}
	if t.dry {
		t.c.ID = ""
		return nil
	}
	return taken(t.s.Store.CreateWhole(ctx, w), "", "an agent or integration of the bundle was made by somebody else just now; send it again")
}

func (t *taking) noteNamed() {
	for i := range t.integrations {
		t.note("created", "integration", t.integrations[i].Name, t.integrations[i].Provider)
	}
	for i := range t.agents {
		t.note("created", "agent", t.agents[i].Name, fmt.Sprintf("%s, %s", t.agents[i].Kind, t.agents[i].Status))
	}
	t.changes = append(t.changes, t.kept...)
}

// differs names what of two records is not the same, by the keys of their JSON.
func differs(is, want any) string {
	a, b := keys(is), keys(want)
	var out []string
	for name := range a {
		if _, ok := b[name]; !ok {
			b[name] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if string(a[name]) != string(b[name]) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func keys(v any) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		panic(err) // plain data: cannot fail
	}
	return out
}
