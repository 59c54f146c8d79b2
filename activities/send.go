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

// unsent reports that nothing of the message has left yet: its row in the ledger
// is not there, or says that it surely was not sent.
func (a *Activities) unsent(ctx context.Context, id string) (bool, error) {
	row, err := a.Store.SendRow(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return row.State == store.SendRetry, err
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
	if v, err := p.recheck(ctx, session); err != nil || v != nil {
		if err != nil {
			return campaign.SendOutcome{}, err
		}
		return *v, p.opened(ctx, *v, channels.Outbound{}, session)
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
		v := skip("template", "%v", err)
		return *v, p.opened(ctx, *v, channels.Outbound{}, session)
	}
	to, err := channels.Address(&p.contact, p.delivery.Channel)
	if err != nil { // no address is an outcome, not a failure
		v := skip("no_address", "%v", err)
		return *v, p.opened(ctx, *v, channels.Outbound{}, session)
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
	case campaign.SendFailed, campaign.SendSkipped:
		_, err := p.a.Store.CloseSession(ctx, session.ID, campaign.SessionFailed, nil, result.Reason, p.a.now())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	default: // it may still begin
		return nil
	}
}

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
	if errors.Is(err, store.ErrNotFound) || err == nil && agent.Status == campaign.AgentRunning {
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
	if !p.silent() || session == nil {
		return p.a.unsent(ctx, ledgerID(p.m))
	}
	_, err := p.a.Store.Session(ctx, session.ID)
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
	out, err := a.answer(ctx, message)
	if err != nil {
		return out, err
	}
	delivery := map[string]string{campaign.SendSent: "sent", campaign.SendUnknown: "unknown"}[out.Outcome]
	if delivery == "" {
		delivery = "failed"
	}
	return out, a.Store.MarkMessage(ctx, in.MessageID, delivery, out.ProviderMessageID)
}

// answer delivers a reply unless the person must not be contacted any more.
func (a *Activities) answer(ctx context.Context, m channels.Outbound) (campaign.SendOutcome, error) {
	unsent, err := a.unsent(ctx, m.ID)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	if unsent {
		c, err := a.Store.Contact(ctx, m.CampaignID, m.ContactID)
		if err != nil {
			return campaign.SendOutcome{}, settled(err)
		}
		reason, err := a.Store.Suppressed(ctx, c.ExternalID, m.Channel, m.To)
		if err != nil {
			return campaign.SendOutcome{}, err
		}
		if reason != "" {
			return campaign.SendOutcome{
				Outcome: campaign.SendFailed, Reason: reason, Detail: fmt.Sprintf("the person must not be contacted by %s (%s)", m.Channel, reason),
			}, nil
		}
	}
	return a.deliver(ctx, m, nil, false)
}
