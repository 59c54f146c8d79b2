package activities

import (
	"context"
	"fmt"

	"carillon/campaign"
	"carillon/channels"
)

// Codes of what is wrong with the configuration before a provider is called.
const (
	noRedirect    = "no_redirect"    // the workspace has no address for mode redirect
	wrongProvider = "wrong_provider" // the integration's provider does not carry the channel
)

// route is where a message goes: the integration, as it was read for it, and the
// sender that was opened for it.
type route struct {
	channels.Sender
	integration campaign.Integration
}

// sender opens the provider of a message: the outbox unless the mode lets it
// out. What a person must mend is a *channels.Failure or store.ErrNotFound.
func (a *Activities) sender(ctx context.Context, m *channels.Outbound) (r route, err error) {
	deps := channels.Deps{HTTP: a.HTTP, Dial: a.Dial, Now: a.Now}
	if a.Mode == ModeOutbox {
		r.integration = campaign.Integration{ID: "outbox", Provider: "outbox"}
		r.Sender, err = a.Channels.Open(r.integration, deps)
		return r, err
	}
	i, err := a.Store.Integration(ctx, m.Delivery.Integration)
	if err != nil {
		return r, fmt.Errorf("the integration %q: %w", m.Delivery.Integration, err)
	}
	r.integration, m.Delivery.Integration = i, i.ID // it may have been named by its name
	if p, ok := a.Channels.Provider(i.Provider); ok && !p.Describe().Serves(m.Channel) {
		return r, channels.Fail(channels.Config, wrongProvider, "the integration %s is of %s, which does not carry %s: name another one, then resume", i.Name, i.Provider, m.Channel)
	}
	if deps.Secrets, err = a.Store.IntegrationSecrets(ctx, i.ID); err != nil {
		return r, err
	}
	if a.Mode == ModeRedirect {
		if m.To, err = a.redirectAddress(ctx, m.Channel); err != nil {
			return r, err
		}
	}
	r.Sender, err = a.Channels.Open(i, deps)
	return r, err
}

func (a *Activities) redirectAddress(ctx context.Context, ch campaign.Channel) (string, error) {
	s, err := a.settings(ctx)
	if err != nil {
		return "", err
	}
	if to := s.Redirect[string(ch)]; to != "" {
		return to, nil
	}
	return "", channels.Fail(channels.Config, noRedirect, "mode redirect needs an address for %s in PUT /v1/settings: redirect.%s", ch, ch)
}

// learn keeps what a call's end tells about its integration.
func (a *Activities) learn(ctx context.Context, m *channels.Outbound, r *route, age int, f *channels.Failure, outcome string) {
	if a.CountSend != nil {
		counted := "sent"
		if f != nil {
			counted = string(f.Class)
		}
		a.CountSend(r.integration.Provider, counted)
	}
	if a.Mode == ModeOutbox {
		return
	}
	id := r.integration.ID
	switch {
	case f == nil, outcome == campaign.SendSent: // or a webhook was faster than the answer that did not come
		a.streaks.end(id, false)
		a.works(ctx, r)
	case f.MaybeSent():
		if err := a.unanswered(ctx, m, age, f); err != nil { // the next one tries again
			a.Log.Warn("integration not paused", "integration_id", id, "error", err)
		}
	case f.Retry():
		a.refusedForNow(ctx, m, r, f)
	case f.Class != channels.Config && f.Class != channels.Template: // this one message is refused: the provider works
		a.works(ctx, r)
	}
}
