package activities

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
	"carillon/workflows"
)

// Send opens a communication: it checks the gate's cheap part again, renders,
// claims the ledger, calls the provider once and settles. Idempotent through
// the ledger: a repeated attempt that finds its row as "sending" asks the
// provider what became of it and never sends again on a guess.
func (a *Activities) Send(ctx context.Context, in workflows.SendInput) (campaign.SendOutcome, error) {
	out, err := a.send(ctx, in)
	if err == nil && out.Outcome != campaign.SendSent && out.Outcome != campaign.SendUnknown {
		if _, err := a.Store.Release(ctx, in.Communication.ID, nil); err != nil {
			return out, fmt.Errorf("give the agent's place back for %s: %w", in.Communication.ID, err)
		}
	}
	return out, err
}

func (a *Activities) send(ctx context.Context, in workflows.SendInput) (campaign.SendOutcome, error) {
	m := &in.Communication
	contact, err := a.Store.Contact(ctx, in.CampaignID, in.ContactID)
	if err != nil {
		return campaign.SendOutcome{}, settled(err)
	}
	camp, err := a.Store.Campaign(ctx, in.CampaignID)
	if err != nil {
		return campaign.SendOutcome{}, settled(err)
	}
	if camp.Status == campaign.Paused {
		if earlier, err := a.Store.SendRow(ctx, ledgerID(m)); errors.Is(err, store.ErrNotFound) || err == nil && earlier.State == store.SendRetry {
			h := campaign.Hold{Cause: campaign.HeldCampaign, Ref: camp.ID, Since: a.now()}
			return campaign.SendOutcome{Outcome: campaign.SendHeld, Hold: &h}, a.hold(ctx, &contact, m.ID, h, a.now())
		} else if err != nil {
			return campaign.SendOutcome{}, err
		}
	}
	stage, err := a.stageOf(ctx, in.CampaignID, m)
	if errors.Is(err, store.ErrNotFound) {
		return trouble("stage_missing", "the campaign has no stage %q any more", m.StageName), nil
	} else if err != nil {
		return campaign.SendOutcome{}, err
	}
	d, ok := stage.Labelled(in.Verdict.Alternative)
	if !ok || d.Channel != in.Verdict.Channel {
		return trouble("stage_changed", "the delivery %q of stage %s was changed while it was being sent: retry", in.Verdict.Alternative, stage.Name), nil
	}
	p := passage{a: a, in: in, m: m, contact: contact, campaign: camp, stage: stage, delivery: d}
	return p.open(ctx)
}

// ledgerID is the id of a communication's row: one per operator's retry, so
// only a person can have a message of unknown outcome sent again.
func ledgerID(m *campaign.Communication) string {
	if m.Attempt > 0 {
		return fmt.Sprintf("%s#%d", m.ID, m.Attempt+1)
	}
	return m.ID
}

func trouble(reason, format string, args ...any) campaign.SendOutcome {
	return campaign.SendOutcome{Outcome: campaign.SendAttention, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// passage is one opening on its way out.
type passage struct {
	a        *Activities
	in       workflows.SendInput
	m        *campaign.Communication
	contact  campaign.Contact
	campaign campaign.Campaign
	stage    campaign.Stage
	delivery campaign.Delivery
}

func (p *passage) open(ctx context.Context) (campaign.SendOutcome, error) {
	session, err := p.session(ctx)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	out := campaign.SendOutcome{
		Outcome: campaign.SendSent, Timeout: p.stage.EffectiveTimeout(p.m, p.delivery.Channel),
		OnDelivered: p.delivery.CompleteOn == "delivered",
	}
	if session != nil {
		out.SessionID = session.ID
	}
	if out.OnDelivered && out.Timeout == 0 { // a report that never comes must not hold the contact for ever
		out.Timeout = campaign.Duration(p.delivery.Channel.Timeout())
	}
	if p.in.Verdict.Queue != workflows.QueueOutbox {
		out.Queue = p.in.Verdict.Queue
	}
	if p.silent() {
		out.Silent = true
		return out, p.a.Store.OpenSession(ctx, *session)
	}
	rendered, err := p.a.Renderer.Render(ctx, channels.Input{
		Campaign: p.campaign, Stage: p.stage, Delivery: p.delivery, Contact: p.contact, Communication: *p.m, Now: p.a.now(),
	})
	if err != nil {
		if ctx.Err() != nil {
			return campaign.SendOutcome{}, ctx.Err()
		}
		return campaign.SendOutcome{Outcome: campaign.SendSkipped, Reason: "template", Detail: err.Error()}, nil
	}
	to, err := channels.Address(&p.contact, p.delivery.Channel)
	if err != nil { //nolint:nilerr // no address is an outcome, not a failure
		return campaign.SendOutcome{Outcome: campaign.SendSkipped, Reason: "no_address", Detail: err.Error()}, nil
	}
	d := p.delivery
	if p.m.StartState != "" {
		d.StartState = p.m.StartState
	}
	message := channels.Outbound{
		ID: ledgerID(p.m), CorrelationKey: ledgerID(p.m), Channel: d.Channel, To: to, Subject: rendered.Subject, Body: rendered.Body,
		HTML: rendered.HTML, Delivery: d, Variables: rendered.Variables, CampaignID: p.campaign.ID, ContactID: p.contact.ID,
		CommunicationID: p.m.ID, SessionID: out.SessionID, At: p.a.now(),
	}
	result, err := p.a.deliver(ctx, message, session, p.delivery.UnknownPolicy == "resend")
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	result.SessionID, result.Queue, result.Timeout, result.OnDelivered = out.SessionID, out.Queue, out.Timeout, out.OnDelivered
	return result, p.opened(ctx, result, message, session)
}

// opened writes the opening into its session, or closes a session that never began.
func (p *passage) opened(ctx context.Context, result campaign.SendOutcome, message channels.Outbound, session *campaign.Session) error {
	if session == nil {
		return nil
	}
	switch result.Outcome {
	case campaign.SendSent:
		text := message.Body
		if message.Subject != "" {
			text = message.Subject + "\n\n" + text
		}
		return p.a.Store.AddMessage(ctx, campaign.Message{
			ID: message.ID, SessionID: session.ID, Author: campaign.AuthorAgent, Content: text, At: message.At,
			Delivery: "sent", ProviderMessageID: result.ProviderMessageID,
		})
	case campaign.SendUnknown:
		return nil
	default:
		_, err := p.a.Store.CloseSession(ctx, session.ID, campaign.SessionFailed, nil, result.Reason, p.a.now())
		return err
	}
}

// silent reports that the session opens without a word: a person handles it,
// or nothing is written down as its opening and the agent speaks first.
func (p *passage) silent() bool {
	return p.delivery.Channel == campaign.Human || p.delivery.Channel == campaign.Telegram && p.delivery.Template == ""
}

func (p *passage) session(ctx context.Context) (*campaign.Session, error) {
	if !p.delivery.Channel.Conversation() {
		return nil, nil
	}
	to, _ := channels.Address(&p.contact, p.delivery.Channel)
	s := &campaign.Session{
		ID: campaign.SessionID(p.m.ID), CampaignID: p.campaign.ID, ContactID: p.contact.ID, CommunicationID: p.m.ID, StageName: p.stage.Name,
		Channel: p.delivery.Channel, Address: to, Mode: campaign.ModeAI, Status: campaign.SessionOpen, CreatedAt: p.a.now(),
		State: p.delivery.StartState,
	}
	if p.m.Attempt > 0 {
		s.ID = fmt.Sprintf("%s-%d", s.ID, p.m.Attempt+1)
	}
	if p.m.StartState != "" {
		s.State = p.m.StartState
	}
	if p.delivery.Channel == campaign.Human {
		s.Mode = campaign.ModeHuman
	}
	if p.delivery.Agent != "" {
		agent, err := p.a.Store.Agent(ctx, p.delivery.Agent)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		s.AgentID = agent.ID
	}
	id, err := p.a.integrationFor(ctx, &p.delivery)
	if err != nil {
		return nil, err
	}
	s.IntegrationID = id
	return s, nil
}

// Reply sends one message inside an open session. Idempotent through the
// ledger, as Send is.
func (a *Activities) Reply(ctx context.Context, in workflows.ReplyInput) (campaign.SendOutcome, error) {
	s, err := a.Store.Session(ctx, in.SessionID)
	if err != nil {
		return campaign.SendOutcome{}, settled(err)
	}
	var content string
	for _, m := range s.Messages {
		if m.ID == in.MessageID {
			content = m.Content
		}
	}
	if content == "" {
		return trouble("message_missing", "session %s has no message %s", s.ID, in.MessageID), nil
	}
	message := channels.Outbound{
		ID: in.MessageID, CorrelationKey: in.MessageID, Channel: s.Channel, To: s.Address, Body: content, Reply: true,
		Delivery: campaign.Delivery{Channel: s.Channel, Integration: s.IntegrationID}, CampaignID: in.CampaignID, ContactID: in.ContactID,
		CommunicationID: in.CommunicationID, SessionID: s.ID, At: a.now(),
	}
	if s.Channel == campaign.Human { // the person speaks to the contact by their own means
		return campaign.SendOutcome{Outcome: campaign.SendSent}, a.Store.MarkMessage(ctx, in.MessageID, "sent", "")
	}
	out, err := a.deliver(ctx, message, nil, false)
	if err != nil {
		return out, err
	}
	delivery := map[string]string{campaign.SendSent: "sent", campaign.SendUnknown: "unknown"}[out.Outcome]
	if delivery == "" {
		delivery = "failed"
	}
	return out, a.Store.MarkMessage(ctx, in.MessageID, delivery, out.ProviderMessageID)
}

// deliver takes one rendered message through the ledger and the provider.
func (a *Activities) deliver(ctx context.Context, m channels.Outbound, session *campaign.Session, resend bool) (campaign.SendOutcome, error) {
	sender, failure := a.sender(ctx, &m)
	if failure != nil {
		return trouble("integration_error", "%v", failure), nil
	}
	row := store.Send{
		ID: m.ID, ContactID: m.ContactID, CampaignID: m.CampaignID, CommunicationID: m.CommunicationID, SessionID: m.SessionID,
		IntegrationID: m.Delivery.Integration, Channel: m.Channel, State: store.SendSending, Address: m.To,
		PayloadHash: payloadHash(&m), CorrelationKey: m.CorrelationKey, CreatedAt: m.At,
	}
	earlier, fresh, err := a.Store.ClaimSend(ctx, row, session)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	if !fresh {
		out, again, err := a.reconcile(ctx, sender, &m, &earlier, &row, resend)
		if err != nil || !again {
			return out, err
		}
	}
	receipt, err := sender.Send(ctx, m)
	return a.settle(context.WithoutCancel(ctx), &m, receipt, channels.Classify(err))
}

// reconcile says what became of an earlier attempt of the same message, or
// that it surely never left and may be sent again.
func (a *Activities) reconcile(ctx context.Context, sender channels.Sender, m *channels.Outbound, earlier, row *store.Send, resend bool) (campaign.SendOutcome, bool, error) {
	switch earlier.State {
	case store.SendSent:
		if earlier.PayloadHash != row.PayloadHash {
			return trouble("payload_changed", "%s was sent before with another content: it is not sent again", m.ID), false, nil
		}
		return campaign.SendOutcome{Outcome: campaign.SendSent, ProviderMessageID: earlier.ProviderMessageID}, false, nil
	case store.SendFailed:
		return campaign.SendOutcome{Outcome: campaign.SendFailed, Reason: earlier.Reason}, false, nil
	}
	if finder, ok := sender.(channels.Finder); ok {
		receipt, found, err := finder.Find(ctx, *m)
		if err == nil && !found {
			return campaign.SendOutcome{}, true, nil
		}
		if err == nil {
			out, err := a.settle(ctx, m, receipt, nil)
			return out, false, err
		}
	}
	if resend {
		return campaign.SendOutcome{}, true, nil
	}
	detail := "an earlier attempt was cut off while the provider was being called"
	err := a.Store.SettleSend(ctx, m.ID, store.SendUnknown, "", detail, a.now())
	return campaign.SendOutcome{Outcome: campaign.SendUnknown, Reason: "interrupted", Detail: detail}, false, err
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
		if err := a.Store.SettleSend(ctx, m.ID, store.SendRetry, "", f.Error(), a.now()); err != nil {
			return campaign.SendOutcome{}, err
		}
		return campaign.SendOutcome{}, temporal.NewApplicationErrorWithOptions(f.Error(), reason, temporal.ApplicationErrorOptions{
			NextRetryDelay: f.RetryAfter, Category: temporal.ApplicationErrorCategoryBenign,
		})
	case f.MaybeSent():
		err := a.Store.SettleSend(ctx, m.ID, store.SendUnknown, "", f.Error(), a.now())
		return campaign.SendOutcome{Outcome: campaign.SendUnknown, Reason: reason, Detail: f.Error()}, err
	case f.Class == channels.Config:
		err := a.Store.SettleSend(ctx, m.ID, store.SendRetry, "", f.Error(), a.now())
		return trouble("integration_error", "%v", f), err
	default:
		if f.Class == channels.OptOut {
			if err := a.suppress(ctx, m, "opt_out"); err != nil {
				return campaign.SendOutcome{}, err
			}
		}
		err := a.Store.SettleSend(ctx, m.ID, store.SendFailed, "", f.Error(), a.now())
		return campaign.SendOutcome{Outcome: campaign.SendFailed, Reason: reason, Detail: f.Error()}, err
	}
}

func (a *Activities) suppress(ctx context.Context, m *channels.Outbound, reason string) error {
	c, err := a.Store.Contact(ctx, m.CampaignID, m.ContactID)
	if err != nil {
		return err
	}
	return a.Store.Suppress(ctx, store.Suppression{
		ID: "sp_" + payloadHash(m)[:20], ExternalID: c.ExternalID, Address: m.To, Channel: m.Channel, Reason: reason, CreatedAt: a.now(),
	})
}

// sender opens the provider of a message: the outbox unless the mode lets it out.
func (a *Activities) sender(ctx context.Context, m *channels.Outbound) (channels.Sender, error) {
	deps := channels.Deps{Now: a.Now}
	if a.Mode == ModeOutbox {
		return a.Channels.Open(campaign.Integration{ID: "outbox", Provider: "outbox"}, deps)
	}
	i, err := a.Store.Integration(ctx, m.Delivery.Integration)
	if err != nil {
		return nil, fmt.Errorf("the integration %q: %w", m.Delivery.Integration, err)
	}
	if deps.Secrets, err = a.Store.IntegrationSecrets(ctx, i.ID); err != nil {
		return nil, err
	}
	if a.Mode == ModeRedirect {
		if m.To, err = a.redirectAddress(ctx, m.Channel); err != nil {
			return nil, err
		}
	}
	return a.Channels.Open(i, deps)
}

func (a *Activities) redirectAddress(ctx context.Context, ch campaign.Channel) (string, error) {
	raw, err := a.Store.Settings(ctx)
	if err != nil {
		return "", err
	}
	var s struct {
		Redirect map[string]string `json:"redirect"`
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", fmt.Errorf("read the settings: %w", err)
		}
	}
	if to := s.Redirect[string(ch)]; to != "" {
		return to, nil
	}
	return "", fmt.Errorf("mode redirect needs an address for %s in PUT /v1/settings: redirect.%s", ch, ch)
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
