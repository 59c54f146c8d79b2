package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
	"carillon/workflows"
)

// Reply sends one message inside a session. Idempotent through the ledger, as Send
// is; a person who has one of unknown outcome sent again gives it a new row.
func (a *Activities) Reply(ctx context.Context, in workflows.ReplyInput) (campaign.SendOutcome, error) {
	s, err := a.Store.Session(ctx, in.SessionID)
	if err != nil {
		return campaign.SendOutcome{}, settled(err)
	}
	var content string
	var heard time.Time
	for _, m := range s.Messages {
		if m.ID == in.MessageID {
			content = m.Content
		}
		if m.Author == campaign.AuthorContact {
			heard = m.At
		}
	}
	if content == "" {
		return trouble("message_missing", "session %s has no message %s", s.ID, in.MessageID), nil
	}
	message := channels.Outbound{
		ID: attemptID(in.MessageID, in.Attempt), CorrelationKey: attemptID(in.MessageID, in.Attempt), Channel: s.Channel, To: s.Address, Body: content, Reply: true,
		Delivery: campaign.Delivery{Channel: s.Channel, Integration: s.IntegrationID}, CampaignID: in.CampaignID, ContactID: in.ContactID,
		CommunicationID: in.CommunicationID, SessionID: s.ID, Heard: heard, At: a.now(),
	}
	if s.Channel == campaign.Human { // the person speaks to the contact by their own means
		return campaign.SendOutcome{Outcome: campaign.SendSent}, a.Store.MarkMessage(ctx, in.MessageID, "sent", "", "")
	}
	if err := a.thread(ctx, &message, &s); err != nil {
		return campaign.SendOutcome{}, err
	}
	out, err := a.answer(ctx, &in, message)
	if err != nil {
		return out, err
	}
	delivery := map[string]string{campaign.SendSent: "sent", campaign.SendUnknown: "unknown"}[out.Outcome]
	if delivery == "" {
		delivery = "failed"
	}
	reason := out.Detail
	if reason == "" {
		reason = out.Reason
	}
	return out, a.Store.MarkMessage(ctx, in.MessageID, delivery, out.ProviderMessageID, reason)
}

// answer delivers one attempt of a message unless the person must not be contacted any more.
func (a *Activities) answer(ctx context.Context, in *workflows.ReplyInput, m channels.Outbound) (campaign.SendOutcome, error) {
	unsent, err := a.unsent(ctx, m.ID)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	if unsent {
		if in.Attempt > 0 {
			if before, err := a.Store.SendRow(ctx, attemptID(in.MessageID, in.Attempt-1)); err == nil && before.State == store.SendSent {
				return campaign.SendOutcome{Outcome: campaign.SendSent, ProviderMessageID: before.ProviderMessageID}, nil // its provider told meanwhile
			} else if err != nil && !errors.Is(err, store.ErrNotFound) {
				return campaign.SendOutcome{}, err
			}
			if err := a.Store.RenewMessage(ctx, in.MessageID); err != nil {
				return campaign.SendOutcome{}, err
			}
		}
		c, err := a.Store.Contact(ctx, m.CampaignID, m.ContactID)
		if err != nil {
			return campaign.SendOutcome{}, settled(err)
		}
		reason, err := a.Store.Suppressed(ctx, c.ExternalID, m.Channel, m.To)
		if err != nil {
			return campaign.SendOutcome{}, err
		}
		if paused, err := a.integrationPaused(ctx, m.Delivery.Integration); err != nil {
			return campaign.SendOutcome{}, err
		} else if paused != "" {
			const why = "the integration is paused"
			if err := a.Store.MarkMessage(ctx, in.MessageID, "pending", "", why); err != nil {
				return campaign.SendOutcome{}, err
			}
			return campaign.SendOutcome{}, brokenFor(why)
		}
		if reason != "" {
			return campaign.SendOutcome{
				Outcome: campaign.SendFailed, Reason: reason, Detail: fmt.Sprintf("the person must not be contacted by %s (%s)", m.Channel, reason),
			}, nil
		}
	}
	return a.deliver(ctx, m, nil, false, nil)
}

// attemptID is the id of a message's row: one per operator's retry, so only a person
// can have one of unknown outcome sent again.
func attemptID(id string, attempt int) string {
	if attempt > 0 {
		return fmt.Sprintf("%s#%d", id, attempt+1)
	}
	return id
}
