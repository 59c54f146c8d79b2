package activities

import (
	"context"
	"errors"
	"time"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// CloseSession ends a session together with its agent's place, or says that a
// pause holds its timeout. Idempotent: a closed session stays as it is.
func (a *Activities) CloseSession(ctx context.Context, in workflows.CloseInput) (workflows.CloseOutput, error) {
	if in.Timeout {
		h, err := a.pausedNow(ctx, &in)
		if err != nil || h != nil {
			return workflows.CloseOutput{Held: h}, err
		}
		if until, err := a.claimedUntil(ctx, &in); err != nil || until != nil {
			return workflows.CloseOutput{Until: until}, err
		}
	}
	if in.SessionID == "" {
		return workflows.CloseOutput{}, nil
	}
	granted, err := a.Store.CloseSession(ctx, in.SessionID, in.Status, in.Results, in.Reason, in.Now)
	if errors.Is(err, store.ErrNotFound) {
		return workflows.CloseOutput{}, nil
	}
	if err != nil {
		return workflows.CloseOutput{}, err
	}
	a.tell(ctx, granted)
	return workflows.CloseOutput{}, nil
}

// claimedUntil returns how long an operator has the session that is to end by
// time, or nil: who is at work on it is not interrupted.
func (a *Activities) claimedUntil(ctx context.Context, in *workflows.CloseInput) (*time.Time, error) {
	if in.SessionID == "" {
		return nil, nil
	}
	s, err := a.Store.Session(ctx, in.SessionID)
	if errors.Is(err, store.ErrNotFound) || err == nil && (s.Status != campaign.SessionOpen || s.Mode != campaign.ModeHuman || !s.Claimed(in.Now)) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return s.ClaimedUntil, nil
}

// tell passes a freed place on at once; the grant is in the inbox already, so
// a failure here only means that the relay's next pass does it.
func (a *Activities) tell(ctx context.Context, granted *store.Grant) {
	if granted == nil {
		return
	}
	events, err := a.Store.UntakenEvents(ctx, a.now().Add(1), 200)
	if err != nil {
		return
	}
	for _, e := range events {
		if e.ContactID == granted.ContactID && e.Kind == string(campaign.EventRelease) {
			if err := a.Relay.Deliver(ctx, e); err != nil {
				a.Log.Warn("grant not delivered yet", "contact_id", granted.ContactID, "error", err)
			}
		}
	}
}

// pausedNow returns the hold a timeout must wait for: no wait of a contact ends
// while its campaign, stage or integration is paused.
func (a *Activities) pausedNow(ctx context.Context, in *workflows.CloseInput) (*campaign.Hold, error) {
	c, err := a.Store.Campaign(ctx, in.CampaignID)
	if err != nil {
		return nil, settled(err)
	}
	h := campaign.Hold{Cause: campaign.HeldCampaign, Ref: c.ID, Since: in.Now}
	if c.Status != campaign.Paused {
		if h.Cause, h.Ref, err = a.pausedBelow(ctx, in); err != nil || h.Cause == "" {
			return nil, err
		}
	}
	return &h, a.Store.AddHold(ctx, store.HeldContact{
		ContactID: in.ContactID, CampaignID: in.CampaignID, CommunicationID: in.CommunicationID, Cause: h.Cause, Ref: h.Ref, At: in.Now,
	})
}

// pausedBelow names the pause of the stage or of the session's integration, if any.
func (a *Activities) pausedBelow(ctx context.Context, in *workflows.CloseInput) (cause, ref string, err error) {
	if in.StageID != "" {
		s, err := a.Store.Stage(ctx, in.CampaignID, in.StageID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", "", err
		}
		if err == nil && s.Paused {
			return campaign.HeldStage, s.ID, nil
		}
	}
	if in.SessionID == "" {
		return "", "", nil
	}
	s, err := a.Store.Session(ctx, in.SessionID)
	if errors.Is(err, store.ErrNotFound) {
		return "", "", nil
	} else if err != nil {
		return "", "", err
	}
	if ref, err = a.integrationPaused(ctx, s.IntegrationID); err != nil || ref == "" {
		return "", "", err
	}
	return campaign.HeldIntegration, ref, nil
}

// OpenLate opens the session of a late reply and moves the message there.
// Idempotent by the session's and the message's ids.
func (a *Activities) OpenLate(ctx context.Context, in workflows.OpenLateInput) (workflows.None, error) {
	from, err := a.Store.Session(ctx, in.From)
	if errors.Is(err, store.ErrNotFound) {
		return workflows.None{}, nil
	} else if err != nil {
		return workflows.None{}, err
	}
	late := from
	late.ID, late.Late, late.Status, late.Reason, late.EndedAt = in.SessionID, true, campaign.SessionOpen, "", nil
	late.Results, late.Messages, late.CreatedAt = nil, nil, in.Now
	late.ClaimedBy, late.ClaimedID, late.ClaimedUntil, late.LastMessageAt, late.WaitingSince = "", "", nil, nil, nil
	if err := a.Store.OpenSession(ctx, late); err != nil {
		return workflows.None{}, err
	}
	return workflows.None{}, a.Store.MoveMessage(ctx, in.MessageID, late.ID)
}

// ReleaseAgent gives a place back. Idempotent: there is none to give twice.
func (a *Activities) ReleaseAgent(ctx context.Context, in workflows.ReleaseAgentInput) (workflows.None, error) {
	granted, err := a.Store.Release(ctx, in.CommunicationID, nil)
	if err != nil {
		return workflows.None{}, err
	}
	a.tell(ctx, granted)
	return workflows.None{}, nil
}
