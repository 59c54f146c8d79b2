package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"carillon/campaign"
	"carillon/store"
)

func (a *Activities) settings(ctx context.Context) (v campaign.Settings, err error) {
	raw, err := a.Store.Settings(ctx)
	if err != nil || len(raw) == 0 {
		return v, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read the settings: %w", err)
	}
	return v, nil
}

// limitsOf says how often the person and the contact may be written to.
func limitsOf(v *campaign.Settings, r *campaign.Rules, c *campaign.Contact, communicationID string) store.Limits {
	return store.Limits{
		ExternalID: c.ExternalID, ContactID: c.ID, CommunicationID: communicationID,
		PerDay: v.MaxPerDay, PerWeek: v.MaxPerWeek, Gap: time.Duration(v.MinGap), ContactGap: time.Duration(r.MinGap),
	}
}

// notTooOften defers what the workspace's limits per person, or the campaign's
// gap per contact, forbid by now. The ledger asks again when it is claimed.
func (g *gate) notTooOften(ctx context.Context) (*campaign.Verdict, error) {
	l := limitsOf(&g.settings, &g.campaign.Rules, &g.in.Contact, g.m.ID)
	if l.None() {
		return nil, nil
	}
	soon, err := g.a.Store.WithinLimits(ctx, l, g.in.Now)
	if err != nil || soon == nil {
		return nil, err
	}
	return &campaign.Verdict{Outcome: campaign.GateDeferred, Until: &soon.Until, Reason: soon.Reason}, nil
}

// underCap counts the communication against the campaign's daily cap, or defers
// it to the next day of the campaign's zone. It comes last but for the agent: what
// does not go today for another reason is not counted.
func (g *gate) underCap(ctx context.Context) (*campaign.Verdict, error) {
	limit := g.campaign.Rules.DailyCap
	if limit == 0 {
		return nil, nil
	}
	local := g.in.Now.In(g.campaign.Location())
	got, err := g.a.Store.UseCap(ctx, g.campaign.ID, g.m.ID, local.Format(time.DateOnly), limit)
	if err != nil || got {
		return nil, err
	}
	y, m, d := local.Date()
	tomorrow := time.Date(y, m, d+1, 0, 0, 0, 0, local.Location()).UTC()
	return &campaign.Verdict{Outcome: campaign.GateDeferred, Until: &tomorrow, Reason: "daily_cap"}, nil
}
