package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// brokenWait is how long an answer in a session waits before it is tried again
// while its integration is paused.
const brokenWait = time.Minute

// breaks is the circuit breaker: a failure that every message would meet pauses
// what has to be mended, with the failure and one message as a sample, and holds
// the contacts instead of using them up. A person mends it and resumes it, and
// the release goes the way of every pause.
func (a *Activities) breaks(ctx context.Context, m *channels.Outbound, f *channels.Failure) (campaign.SendOutcome, error) {
	if f.Code == wrongProvider && m.Reply { // others use the integration rightly
		return campaign.SendOutcome{}, brokenFor(f.Error())
	}
	cause, ref, err := a.pauseBroken(ctx, m, f)
	switch {
	case err != nil:
		return campaign.SendOutcome{}, err
	case cause == "": // there is nothing to pause
		return trouble("integration_error", "%v", f), nil
	case m.Reply: // a session cannot be held: the activity waits with its answer
		return campaign.SendOutcome{}, brokenFor(f.Error())
	}
	return campaign.SendOutcome{Outcome: campaign.SendHeld, Hold: &campaign.Hold{Cause: cause, Ref: ref, Since: a.now()}, Reason: string(f.Class), Detail: f.Error()}, nil
}

func brokenFor(why string) error {
	return temporal.NewApplicationErrorWithOptions(why, "Broken", temporal.ApplicationErrorOptions{
		NextRetryDelay: brokenWait, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// pauseBroken pauses the stage for a template that is refused or an integration
// that does not carry its channel, else the integration. What is paused already
// keeps its reason.
func (a *Activities) pauseBroken(ctx context.Context, m *channels.Outbound, f *channels.Failure) (cause, ref string, err error) {
	why := fmt.Sprintf("%v (communication %s)", f, m.CommunicationID)
	if (f.Class == channels.Template || f.Code == wrongProvider) && !m.Reply && m.CampaignID != "" {
		c, err := a.Store.Contact(ctx, m.CampaignID, m.ContactID)
		if err != nil {
			return "", "", settled(err)
		}
		if sent := c.Communication(m.CommunicationID); sent != nil {
			stage, err := a.stageOf(ctx, m.CampaignID, sent)
			if err == nil && !stage.Paused {
				_, err = a.Store.UpdateStage(ctx, m.CampaignID, stage.ID, func(v *campaign.Stage) error {
					if !v.Paused {
						v.Paused, v.PausedBecause = true, why
					}
					return nil
				})
			}
			if !errors.Is(err, store.ErrNotFound) {
				return campaign.HeldStage, stage.ID, err
			}
		}
	}
	if m.Delivery.Integration == "" || f.Code == wrongProvider { // others use it rightly
		return "", "", nil
	}
	i, err := a.pauseIntegration(ctx, m, f, why)
	if errors.Is(err, store.ErrNotFound) {
		return "", "", nil
	}
	return campaign.HeldIntegration, i.ID, err
}
