package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"carillon/campaign"
	"carillon/channels"
)

// deliveryDrawn takes the drawn delivery, or the first of the stage's fallbacks
// that reaches the contact. One that a provider refused is not taken again.
func (g *gate) deliveryDrawn(ctx context.Context) (*campaign.Verdict, error) {
	candidates := []campaign.Drawn{g.stage.Draw(g.in.Contact.ID, g.m.ID)}
	for i := range g.stage.Alternatives {
		if alt := &g.stage.Alternatives[i]; alt.Fallback {
			candidates = append(candidates, campaign.Drawn{Label: alt.Label, Probability: 1, Delivery: alt.Delivery})
		}
	}
	first := skipped("no_delivery", "every delivery of stage %s was refused", g.stage.Name)
	found := false
	for _, drawn := range candidates {
		if slices.Contains(g.in.Tried, drawn.Label) {
			continue
		}
		g.drawn = drawn
		v, err := g.tryAddress(ctx)
		if err != nil || v == nil {
			return nil, err
		}
		if v.Outcome == campaign.GateDeferred {
			return v, nil
		}
		if !found {
			first, found = v, true
		}
	}
	return first, nil
}

func (g *gate) tryAddress(ctx context.Context) (*campaign.Verdict, error) {
	ch := g.drawn.Delivery.Channel
	address, err := channels.Address(&g.in.Contact, ch)
	if ae, ok := errors.AsType[*channels.AddressError](err); ok {
		if ae.Reason == campaign.ReasonNoChat && g.drawn.Delivery.WaitForLink {
			return g.awaitChat(ctx, ae)
		}
		return skipped(ae.Reason, "%s", ae.Detail), nil
	}
	if g.a.Mode != ModeOutbox && address != "" {
		if err := channels.CheckAddress(ch, address); err != nil {
			return skipped("bad_address", "%v", err), nil
		}
	}
	reason, err := g.a.Store.Suppressed(ctx, g.in.Contact.ExternalID, ch, address)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return skipped(reason, "the person must not be contacted by %s (%s)", ch, reason), nil
	}
	return nil, nil
}

// awaitChat has a communication wait until its contact has opened the bot's
// link: as long as its session would wait for an answer, and no longer than it
// may be late. Who does not want to hear from us is not waited for.
func (g *gate) awaitChat(ctx context.Context, missing *channels.AddressError) (*campaign.Verdict, error) {
	reason, err := g.a.Store.Suppressed(ctx, g.in.Contact.ExternalID, campaign.Telegram, "")
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return skipped(reason, "the person must not be contacted by %s (%s)", campaign.Telegram, reason), nil
	}
	until := g.in.Now.Add(time.Duration(g.stage.EffectiveTimeout(g.m, campaign.Telegram)))
	if limit := time.Duration(g.campaign.Rules.MaxLateness); limit > 0 {
		if latest := g.m.StartDate.Add(limit); latest.Before(until) {
			until = latest
		}
	}
	if g.in.Waited || !until.After(g.in.Now) {
		return skipped(missing.Reason, "the contact has not opened its Telegram link"), nil
	}
	return &campaign.Verdict{Outcome: campaign.GateDeferred, Until: &until, Reason: missing.Reason}, nil
}
