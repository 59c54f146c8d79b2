package activities

import (
	"context"
	"errors"
	"fmt"

	"carillon/agents"
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
	agent    campaign.Agent // of a session; the zero value if there is none
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
		out.SessionID, out.Turns = session.ID, p.a.Agents.Turns(p.agent.Kind)
	}
	if out.OnDelivered && out.Timeout == 0 { // a report that never comes must not hold the contact for ever
		out.Timeout = campaign.Duration(p.delivery.Channel.Timeout())
	}
	if p.in.Verdict.Queue != workflows.QueueOutbox {
		out.Queue = p.in.Verdict.Queue
	}
	greeting, err := p.greeting(ctx, session, out.Turns)
	if f, ok := errors.AsType[*agents.Failure](err); ok && f.Permanent {
		return trouble("agent_error", "the agent %s could not open the session: %v", p.agent.Name, f), nil
	} else if err != nil {
		return campaign.SendOutcome{}, notYet(err)
	}
	if (p.silent() || greeting.HandOff || greeting.End.Ended()) && greeting.Content == "" {
		out.Silent = true
		if err := p.a.Store.OpenSession(ctx, *session); err != nil {
			return campaign.SendOutcome{}, err
		}
		return out, p.conclude(ctx, &greeting, &out, session)
	}
	link, err := p.a.unsubscribeURL(ctx, &p.contact, p.delivery.Channel)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	chat, noChat, err := p.a.telegramLink(ctx, &p.contact, &p.delivery)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	rendered, err := p.a.Renderer.Render(ctx, channels.Input{
		Campaign: p.campaign, Stage: p.stage, Delivery: p.delivery, Contact: p.contact, Communication: *p.m, Now: p.a.now(),
		UnsubscribeURL: link, TelegramLink: chat,
	})
	if err != nil {
		if ctx.Err() != nil {
			return campaign.SendOutcome{}, ctx.Err()
		}
		v := skip("template", "%v", err)
		if missing, ok := errors.AsType[*channels.MissingVariable](err); ok && missing.Name == channels.TelegramLinkVariable && noChat != "" {
			v.Detail += ": " + noChat
		}
		return *v, p.opened(ctx, *v, channels.Outbound{}, session)
	}
	if greeting.Content != "" {
		rendered.Body, rendered.HTML = greeting.Content, false // an agent writes text
	}
	to, err := channels.Address(&p.contact, p.delivery.Channel)
	if missing, ok := errors.AsType[*channels.AddressError](err); ok { // no address is an outcome, not a failure
		v := skip(missing.Reason, "%v", err)
		return *v, p.opened(ctx, *v, channels.Outbound{}, session)
	}
	d := p.delivery
	if d.Integration, err = p.a.integrationID(ctx, &d); err != nil {
		return campaign.SendOutcome{}, err
	}
	if p.m.StartState != "" {
		d.StartState = p.m.StartState
	}
	if session != nil { // an agent's own integration, where the stage names none
		d.Integration = session.IntegrationID
	}
	message := channels.Outbound{
		ID: p.m.SendID(), CorrelationKey: p.m.SendID(), Channel: d.Channel, To: to, Subject: rendered.Subject, Body: rendered.Body,
		HTML: rendered.HTML, Delivery: d, Variables: rendered.Variables, CampaignID: p.campaign.ID, ContactID: p.contact.ID,
		CommunicationID: p.m.ID, SessionID: out.SessionID, UnsubscribeURL: link, At: p.a.now(),
	}
	if message.ReplyToken, err = p.a.replyToken(ctx, d.Channel, out.SessionID); err != nil {
		return campaign.SendOutcome{}, err
	}
	settings, err := p.a.settings(ctx)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	limits := limitsOf(&settings, &p.campaign.Rules, &p.contact, p.m.ID)
	result, err := p.a.deliver(ctx, message, session, p.delivery.UnknownPolicy == "resend", &limits)
	if err != nil {
		return campaign.SendOutcome{}, err
	}
	if result.Outcome == campaign.SendFailed {
		if falls, err := p.fallsBack(ctx, result.Reason); err != nil {
			return campaign.SendOutcome{}, err
		} else if falls {
			result.Outcome = campaign.SendRefused
		}
	}
	result.SessionID, result.Queue, result.Timeout, result.OnDelivered, result.Turns = out.SessionID, out.Queue, out.Timeout, out.OnDelivered, out.Turns
	if err := p.opened(ctx, result, message, session); err != nil {
		return campaign.SendOutcome{}, err
	}
	return result, p.conclude(ctx, &greeting, &result, session)
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
	case campaign.SendFailed, campaign.SendSkipped, campaign.SendRefused:
		_, err := p.a.Store.CloseSession(ctx, session.ID, campaign.SessionFailed, nil, result.Reason, p.a.now())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	default: // it may still begin
		return nil
	}
}

// fallsBack reports that the provider refused the message before anything left,
// and that the stage has a fallback after this delivery that reaches the contact.
// Who does not want to hear from us is not tried by another way.
func (p *passage) fallsBack(ctx context.Context, reason string) (bool, error) {
	switch channels.Class(reason) {
	case channels.Recipient, channels.Invalid, channels.Policy:
	default:
		return false, nil
	}
	alternatives := p.stage.Alternatives
	for i := range alternatives {
		if alternatives[i].Fallback && alternatives[i].Label == p.in.Verdict.Alternative {
			alternatives = alternatives[i+1:]
			break
		}
	}
	for i := range alternatives {
		ch := alternatives[i].Delivery.Channel
		to, err := channels.Address(&p.contact, ch)
		if !alternatives[i].Fallback || err != nil {
			continue
		}
		// The refusal itself may have shown that the address is bad.
		if reason, err := p.a.Store.Suppressed(ctx, p.contact.ExternalID, ch, to); err != nil || reason == "" {
			return err == nil, err
		}
	}
	return false, nil
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
		State: p.delivery.StartState, Timeout: p.stage.EffectiveTimeout(p.m, p.delivery.Channel),
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
		s.AgentID, p.agent = agent.ID, agent
	}
	id, err := p.a.integrationID(ctx, &p.delivery)
	if err != nil {
		return nil, err
	}
	s.IntegrationID = id
	if i, err := p.a.Store.Integration(ctx, id); err == nil {
		s.IntegrationID = i.ID // it may have been named by its name
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return s, nil
}
