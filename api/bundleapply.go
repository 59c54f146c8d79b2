package api

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carillon/bundle"
	"carillon/campaign"
	"carillon/store"
)

// update makes an existing campaign as the bundle says. Its parts are changed
// one after the other, so that what uses them (a stage its agent, a strategy its
// stages) always finds them; sent again, a bundle goes on where it was cut off.
func (t *taking) update(ctx context.Context, id string) error {
	var err error
	if t.c, err = t.s.editable(ctx, id); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{t.makeNamed, t.updateCampaign, t.updateStages, t.updateStrategies, t.dropStages, t.orderStages} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t *taking) makeNamed(ctx context.Context) error {
	t.noteNamed()
	if t.dry {
		return nil
	}
	for i := range t.integrations {
		if err := t.s.Store.CreateIntegration(ctx, t.integrations[i]); err != nil {
			return nameTaken(err, "integration", t.integrations[i].Name)
		}
	}
	for i := range t.agents {
		if err := t.s.Store.CreateAgent(ctx, t.agents[i]); err != nil {
			return nameTaken(err, "agent", t.agents[i].Name)
		}
	}
	return nil
}

func (t *taking) updateCampaign(ctx context.Context) error {
	want := t.b.Campaign
	want.Timezone = or(want.Timezone, "UTC")
	detail := differs(bundle.FromCampaign(&t.c), want)
	if detail == "" {
		return nil
	}
	t.note("updated", "campaign", want.Name, detail)
	if t.dry {
		return nil
	}
	c, err := t.s.Store.UpdateCampaign(ctx, t.c.ID, func(c *campaign.Campaign) error {
		want.Into(c)
		return nil
	})
	if err == nil {
		t.c = c
	}
	return err
}

func (t *taking) updateStages(ctx context.Context) error {
	is, err := t.s.Store.Stages(ctx, t.c.ID)
	if err != nil {
		return err
	}
	for i := range t.b.Stages {
		want := &t.b.Stages[i]
		at := slices.IndexFunc(is, func(s campaign.Stage) bool { return s.Name == want.Name })
		if at < 0 {
			if err := t.addStage(ctx, want); err != nil {
				return err
			}
			continue
		}
		there := bundle.FromStage(&is[at])
		for _, d := range there.Deliveries() {
			if err := t.s.nameParts(ctx, d); err != nil {
				return err
			}
		}
		detail := differs(there, withoutOnes(*want))
		if detail == "" {
			continue
		}
		t.note("updated", "stage", want.Name, detail)
		if t.dry {
			continue
		}
		if _, err := t.s.Store.UpdateStage(ctx, t.c.ID, is[at].ID, func(s *campaign.Stage) error { want.Into(s); return nil }); err != nil {
			return err
		}
	}
	return nil
}

// withoutOnes is the stage as export writes it: a weight of 1 is not written.
func withoutOnes(s bundle.Stage) bundle.Stage {
	var v campaign.Stage
	s.Into(&v)
	return bundle.FromStage(&v)
}

func (t *taking) addStage(ctx context.Context, want *bundle.Stage) error {
	t.note("created", "stage", want.Name, string(want.Delivery.Channel))
	if t.dry {
		return nil
	}
	stage := campaign.Stage{ID: newID("st_"), CampaignID: t.c.ID, CreatedAt: t.s.now()}
	want.Into(&stage)
	_, err := t.s.Store.CreateStage(ctx, stage)
	return taken(err, "", "a stage %q was made by somebody else just now; send the bundle again", want.Name)
}

func (t *taking) updateStrategies(ctx context.Context) error {
	is, err := t.s.Store.Strategies(ctx, t.c.ID)
	if err != nil {
		return err
	}
	for i := range t.b.Strategies {
		want := &t.b.Strategies[i]
		at := slices.IndexFunc(is, func(v campaign.Strategy) bool { return v.Type == want.Type })
		if at < 0 {
			v := campaign.Strategy{ID: newID("sg_"), CampaignID: t.c.ID, CreatedAt: t.s.now()}
			want.Into(&v)
			t.note("created", "strategy", v.Name, "version 1")
			if !t.dry {
				if _, err := t.s.Store.CreateStrategy(ctx, v); err != nil {
					return taken(err, "", "a %s strategy was made by somebody else just now; send the bundle again", v.Type)
				}
			}
			continue
		}
		if err := t.updateStrategy(ctx, &is[at], want); err != nil {
			return err
		}
	}
	for _, v := range is {
		if slices.ContainsFunc(t.b.Strategies, func(want bundle.Strategy) bool { return want.Type == v.Type }) {
			continue
		}
		t.note("deleted", "strategy", v.Name, string(v.Type))
		if !t.dry {
			if err := t.s.Store.DeleteStrategy(ctx, t.c.ID, v.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *taking) updateStrategy(ctx context.Context, is *campaign.Strategy, want *bundle.Strategy) error {
	var next campaign.Strategy
	want.Into(&next)
	detail := differs(bundle.FromStrategy(is), bundle.FromStrategy(&next))
	if detail == "" {
		return nil
	}
	version := is.Version
	if next.Code != is.Code || next.Function != is.Function {
		version++
	}
	t.note("updated", "strategy", next.Name, fmt.Sprintf("%s; version %d", detail, version))
	if t.dry {
		return nil
	}
	_, err := t.s.Store.UpdateStrategy(ctx, t.c.ID, is.ID, func(v *campaign.Strategy) error { want.Into(v); return nil })
	return err
}

// dropStages deletes the stages the bundle does not have. One that contacts are
// in, or will be, stays.
func (t *taking) dropStages(ctx context.Context) error {
	is, err := t.s.Store.Stages(ctx, t.c.ID)
	if err != nil {
		return err
	}
	for _, stage := range is {
		if slices.ContainsFunc(t.b.Stages, func(want bundle.Stage) bool { return want.Name == stage.Name }) {
			continue
		}
		if t.dry {
			t.note("deleted", "stage", stage.Name, "if no contact is in it")
			continue
		}
		err := t.s.Store.DeleteStage(ctx, t.c.ID, stage.ID)
		switch {
		case errors.Is(err, store.ErrConflict):
			t.note("kept", "stage", stage.Name, "the bundle does not have it, but contacts are in it or will be")
		case err != nil:
			return err
		default:
			t.note("deleted", "stage", stage.Name, "")
		}
	}
	return nil
}

// orderStages puts the stages into the bundle's order; those that had to stay
// come last.
func (t *taking) orderStages(ctx context.Context) error {
	is, err := t.s.Store.Stages(ctx, t.c.ID)
	if err != nil || t.dry {
		return err
	}
	place := func(s campaign.Stage) int {
		if i := slices.IndexFunc(t.b.Stages, func(want bundle.Stage) bool { return want.Name == s.Name }); i >= 0 {
			return i
		}
		return len(t.b.Stages)
	}
	byPlace := func(a, b campaign.Stage) int { return place(a) - place(b) }
	if slices.IsSortedFunc(is, byPlace) {
		return nil
	}
	slices.SortStableFunc(is, byPlace)
	ids := make([]string, len(is))
	for i := range is {
		ids[i] = is[i].ID
	}
	t.note("updated", "campaign", t.c.Name, "order of the stages")
	return taken(t.s.Store.OrderStages(ctx, t.c.ID, ids), "", "the stages were changed by somebody else just now; send the bundle again")
}
