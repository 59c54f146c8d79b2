package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// recheck asks again what may have changed since the gate, which a backlog can
// leave far behind; nil lets the message go. It reads a few rows by their keys,
// and does not stop what an earlier attempt began.
func (p *passage) recheck(ctx context.Context, session *campaign.Session) (*campaign.SendOutcome, error) {
	if unsent, err := p.unsent(ctx, session); err != nil || !unsent {
		return nil, err
	}
	now := p.a.now()
	switch {
	case p.campaign.Status != campaign.Running: // of a stopped one, the sweep ends the contact
		return wait(campaign.HeldCampaign, p.campaign.ID, now), nil
	case p.stage.Paused:
		return wait(campaign.HeldStage, p.stage.ID, now), nil
	case p.m.ExpiresAt != nil && !p.m.ExpiresAt.After(now):
		return skip("expired", "its time (%s) had passed", p.m.ExpiresAt.UTC().Format(time.RFC3339)), nil
	}
	ch := p.delivery.Channel
	to, _ := channels.Address(&p.contact, ch)
	reason, err := p.a.Store.Suppressed(ctx, p.contact.ExternalID, ch, to)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return skip(reason, "the person must not be contacted by %s (%s)", ch, reason), nil
	}
	if ch != campaign.Human {
		id, err := p.a.integrationFor(ctx, &p.delivery)
		if err != nil {
			return nil, err
		}
		if paused, err := p.a.integrationPaused(ctx, id); err != nil {
			return nil, err
		} else if paused != "" {
			return wait(campaign.HeldIntegration, paused, now), nil
		}
	}
	if p.delivery.Agent == "" || ch == campaign.EmailNotification {
		return nil, nil
	}
	agent, err := p.a.Store.Agent(ctx, p.delivery.Agent)
	if errors.Is(err, store.ErrNotFound) || err == nil && agent.Status.Runs() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return wait(campaign.HeldAgentStopped, agent.ID, now), nil
}

// unsent reports that no earlier attempt began: what opens without a word has
// no row in the ledger, but its session.
func (p *passage) unsent(ctx context.Context, session *campaign.Session) (bool, error) {
	row, err := p.a.Store.SendRow(ctx, p.m.SendID())
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return row.State == store.SendRetry, err
	}
	if !p.silent() || session == nil {
		return true, nil
	}
	_, err = p.a.Store.Session(ctx, session.ID)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

func wait(cause, ref string, now time.Time) *campaign.SendOutcome {
	return &campaign.SendOutcome{Outcome: campaign.SendHeld, Hold: &campaign.Hold{Cause: cause, Ref: ref, Since: now}}
}

func skip(reason, format string, args ...any) *campaign.SendOutcome {
	return &campaign.SendOutcome{Outcome: campaign.SendSkipped, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// integrationPaused returns the integration's own id if it is paused, else "".
func (a *Activities) integrationPaused(ctx context.Context, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	i, err := a.Store.Integration(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !i.Paused {
		return "", nil
	}
	return i.ID, err
}
