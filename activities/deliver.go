package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// How long, and how often, a provider is asked what became of a message before
// its outcome is unknown.
const (
	findTime  = 15 * time.Minute
	findPause = 15 * time.Second
)

// deliver takes one rendered message through the ledger and the provider.
func (a *Activities) deliver(ctx context.Context, m channels.Outbound, session *campaign.Session, resend bool, limits *store.Limits) (campaign.SendOutcome, error) {
	r, err := a.sender(ctx, &m)
	if f, ok := errors.AsType[*channels.Failure](err); ok && f.Code != noRedirect {
		return a.breaks(ctx, &m, f)
	} else if ok || errors.Is(err, store.ErrNotFound) {
		return trouble("integration_error", "%v", err), nil
	} else if err != nil { // not the configuration's fault: the activity is repeated
		return campaign.SendOutcome{}, err
	}
	if err := a.mayCall(ctx, &m); err != nil {
		return campaign.SendOutcome{}, err
	}
	if r.integration.Paused { // since it was asked first
		switch unsent, err := a.unsent(ctx, m.ID); {
		case err != nil:
			return campaign.SendOutcome{}, err
		case unsent && m.Reply:
			return campaign.SendOutcome{}, brokenFor("the integration is paused")
		case unsent:
			return *wait(campaign.HeldIntegration, r.integration.ID, a.now()), nil
		}
	}
	row := store.Send{
		ID: m.ID, ContactID: m.ContactID, CampaignID: m.CampaignID, CommunicationID: m.CommunicationID, SessionID: m.SessionID,
		IntegrationID: m.Delivery.Integration, Channel: m.Channel, State: store.SendSending, Address: m.To,
		PayloadHash: payloadHash(&m), CorrelationKey: m.CorrelationKey, CreatedAt: m.At,
	}
	earlier, fresh, err := a.Store.ClaimSend(ctx, row, session, limits)
	if soon, ok := errors.AsType[*store.TooSoon](err); ok { // another campaign was faster than this one's backlog
		return campaign.SendOutcome{Outcome: campaign.SendDeferred, Until: &soon.Until, Reason: soon.Reason}, nil
	} else if err != nil {
		return campaign.SendOutcome{}, err
	}
	if !fresh {
		out, again, err := a.reconcile(ctx, &r, &m, &earlier, &row, resend)
		if err != nil || !again {
			return out, err
		}
		if err := a.Store.AgainSend(ctx, m.ID, m.At); err != nil {
			return campaign.SendOutcome{}, err
		}
	}
	age := a.streaks.age(m.Delivery.Integration)
	receipt, err := r.Send(ctx, m)
	f := channels.Classify(err)
	ctx = context.WithoutCancel(ctx)
	if f != nil && f.MaybeSent() {
		// Its row stays as sending: the next attempt looks it up, or sends it once more where the stage says so.
		if _, ok := r.Sender.(channels.Finder); ok || resend && fresh {
			a.learn(ctx, &m, &r, age, f, campaign.SendUnknown)
			return campaign.SendOutcome{}, lookUp(f)
		}
	}
	out, err := a.settle(ctx, &m, receipt, f)
	a.learn(ctx, &m, &r, age, f, out.Outcome)
	return out, err
}

// reconcile says what became of an earlier attempt of the same message, or
// that it surely never left and may be sent again.
func (a *Activities) reconcile(ctx context.Context, r *route, m *channels.Outbound, earlier, row *store.Send, resend bool) (campaign.SendOutcome, bool, error) {
	switch earlier.State {
	case store.SendSent:
		if earlier.PayloadHash != row.PayloadHash {
			return trouble("payload_changed", "%s was sent before with another content: it is not sent again", m.ID), false, nil
		}
		return campaign.SendOutcome{Outcome: campaign.SendSent, ProviderMessageID: earlier.ProviderMessageID}, false, nil
	case store.SendFailed:
		return campaign.SendOutcome{Outcome: campaign.SendFailed, Reason: earlier.Reason}, false, nil
	}
	if finder, ok := r.Sender.(channels.Finder); ok {
		sought := *m
		sought.At = earlier.CreatedAt // when it may have left, not when it is looked for
		receipt, found, err := finder.Find(ctx, sought)
		if err == nil && !found {
			welcome, err := a.stillWelcome(ctx, m)
			if err != nil || welcome {
				return campaign.SendOutcome{}, welcome, err
			}
			// Nothing left: the next attempt passes the gate's checks as a first one does.
			if err := a.Store.SettleSend(ctx, m.ID, store.SendRetry, "", "it did not leave", a.now()); err != nil {
				return campaign.SendOutcome{}, false, err
			}
			return campaign.SendOutcome{}, false, notNow("it did not leave, and may not go now")
		}
		if err == nil {
			a.streaks.end(r.integration.ID, false)
			a.works(ctx, r)
			out, err := a.settle(ctx, m, receipt, nil)
			return out, false, err
		}
		if f := channels.Classify(err); f.Retry() && a.now().Sub(earlier.CreatedAt) < findTime {
			return campaign.SendOutcome{}, false, lookUp(f)
		}
	}
	if resend {
		if welcome, err := a.stillWelcome(ctx, m); err != nil || welcome {
			return campaign.SendOutcome{}, welcome, err
		}
	}
	detail := "an earlier attempt was cut off while the provider was being called"
	out, err := a.settleUnknown(ctx, m.ID, "interrupted", detail)
	return out, false, err
}

// stillWelcome reports that the campaign runs and the person may be contacted,
// as it must be asked again before a message goes a second time.
func (a *Activities) stillWelcome(ctx context.Context, m *channels.Outbound) (bool, error) {
	camp, err := a.Store.Campaign(ctx, m.CampaignID)
	if err != nil {
		return false, settled(err)
	}
	c, err := a.Store.Contact(ctx, m.CampaignID, m.ContactID)
	if err != nil {
		return false, settled(err)
	}
	address, _ := channels.Address(&c, m.Channel) // in mode redirect the message goes elsewhere
	reason, err := a.Store.Suppressed(ctx, c.ExternalID, m.Channel, address)
	return camp.Status == campaign.Running && reason == "", err
}

func notNow(why string) error {
	return temporal.NewApplicationErrorWithOptions(why, "NotNow", temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
}

// lookUp has the provider asked in a while what became of a message.
func lookUp(f *channels.Failure) error {
	return temporal.NewApplicationErrorWithOptions(f.Error(), "NotFoundYet", temporal.ApplicationErrorOptions{
		NextRetryDelay: max(f.RetryAfter, findPause), Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// settleUnknown writes down that nobody knows what became of a message, unless
// its provider has reported that meanwhile.
func (a *Activities) settleUnknown(ctx context.Context, id, reason, detail string) (campaign.SendOutcome, error) {
	out := campaign.SendOutcome{Outcome: campaign.SendUnknown, Reason: reason, Detail: detail}
	if err := a.Store.SettleSend(ctx, id, store.SendUnknown, "", detail, a.now()); err != nil {
		return out, err
	}
	row, err := a.Store.SendRow(ctx, id)
	switch {
	case err != nil:
		return out, err
	case row.State == store.SendSent:
		return campaign.SendOutcome{Outcome: campaign.SendSent, ProviderMessageID: row.ProviderMessageID}, nil
	case row.State == store.SendFailed:
		return campaign.SendOutcome{Outcome: campaign.SendFailed, Reason: row.Reason}, nil
	default:
		return out, nil
	}
}

// settle writes the outcome down and says what the contact is to make of it.
func (a *Activities) settle(ctx context.Context, m *channels.Outbound, receipt channels.Receipt, f *channels.Failure) (campaign.SendOutcome, error) {
	if f == nil {
		err := a.Store.SettleSend(ctx, m.ID, store.SendSent, receipt.ProviderMessageID, "", a.now())
		return campaign.SendOutcome{Outcome: campaign.SendSent, ProviderMessageID: receipt.ProviderMessageID}, err
	}
	reason := string(f.Class)
	switch {
	case f.Retry():
		a.heed(m, f)
		if err := a.Store.SettleSend(ctx, m.ID, store.SendRetry, "", f.Error(), a.now()); err != nil {
			return campaign.SendOutcome{}, err
		}
		return campaign.SendOutcome{}, temporal.NewApplicationErrorWithOptions(f.Error(), reason, temporal.ApplicationErrorOptions{
			NextRetryDelay: f.RetryAfter, Category: temporal.ApplicationErrorCategoryBenign,
		})
	case f.MaybeSent():
		return a.settleUnknown(ctx, m.ID, reason, f.Error())
	case f.Class == channels.Config, f.Class == channels.Template:
		if err := a.Store.SettleSend(ctx, m.ID, store.SendRetry, "", f.Error(), a.now()); err != nil {
			return campaign.SendOutcome{}, err
		}
		return a.breaks(ctx, m, f)
	default:
		if err := a.suppressFor(ctx, m, f.Class); err != nil {
			return campaign.SendOutcome{}, err
		}
		err := a.Store.SettleSend(ctx, m.ID, store.SendFailed, "", f.Error(), a.now())
		return campaign.SendOutcome{Outcome: campaign.SendFailed, Reason: reason, Detail: f.Error()}, err
	}
}

// suppressFor keeps what a refusal says about the person or the address. In
// mode redirect it says nothing: the address was not the person's.
func (a *Activities) suppressFor(ctx context.Context, m *channels.Outbound, class channels.Class) error {
	if a.Mode == ModeRedirect {
		return nil
	}
	s := store.Suppression{Address: m.To, Reason: "bounced", CreatedAt: a.now()}
	if !m.Reply { // a session that has not begun: the outcome of its opening ends it
		s.But = m.SessionID
	}
	switch class {
	case channels.OptOut:
		c, err := a.Store.Contact(ctx, m.CampaignID, m.ContactID)
		if err != nil {
			return err
		}
		s.ExternalID, s.Reason = c.ExternalID, "opt_out"
	case channels.Recipient: // the address is bad, not the person: another one may be imported
	default:
		return nil
	}
	for _, ch := range m.Channel.Family() { // by whichever provider, it is the same address
		s.Channel = ch
		sum := sha256.Sum256([]byte(payloadHash(m) + s.ExternalID + string(ch)))
		s.ID = "sp_" + hex.EncodeToString(sum[:10])
		told, err := a.Store.Suppress(ctx, s)
		if err != nil {
			return err
		}
		if err := a.Relay.DeliverAll(ctx, told); err != nil { // they are in the inbox: the relay's next pass does it
			a.Log.Warn("ends of sessions not delivered yet", "contact_id", m.ContactID, "error", err)
		}
	}
	return nil
}

func payloadHash(m *channels.Outbound) string {
	b, err := json.Marshal([]any{m.Channel, m.To, m.Subject, m.Body, m.Variables, m.Delivery.TemplateName, m.Delivery.ProjectID, m.Delivery.Version})
	if err != nil {
		b = []byte(m.ID)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// SendRates returns the integrations whose queues are to be polled, each with
// its limit of sends per second (0 is none).
func (a *Activities) SendRates(ctx context.Context) (map[string]float64, error) {
	rates := map[string]float64{}
	for cursor := ""; ; {
		page, err := a.Store.Integrations(ctx, store.Page{Limit: 500, Cursor: cursor})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			rates[page.Items[i].ID] = page.Items[i].RatePerSecond
		}
		if cursor = page.Next; cursor == "" {
			return rates, nil
		}
	}
}
