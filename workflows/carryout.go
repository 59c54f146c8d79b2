package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"carillon/campaign"
)

// carryOut does what can be done in place, as a local activity, and returns
// the resulting event. Sends, and strategies that need their time, are kept
// for after the recording; their results arrive later.
func (r *run) carryOut(ctx workflow.Context, c campaign.Command) (*campaign.Event, error) {
	s := &r.state
	name := r.nameOf(c.CommunicationID)
	switch c.Kind {
	case campaign.CommandGate:
		v, err := Gate.local(ctx, quick("may "+name+" be sent now?"), GateInput{
			Contact: s.Contact, CommunicationID: c.CommunicationID, Tried: s.TriedOf(c.CommunicationID), Waited: s.Waited(c.CommunicationID), Now: workflow.Now(ctx),
		})
		return &campaign.Event{Kind: campaign.EventGated, Verdict: &v}, err
	case campaign.CommandStrategy:
		return r.decide(ctx, c, name)
	case campaign.CommandTurn:
		return r.turnHere(ctx, c, name)
	case campaign.CommandClose:
		in := CloseInput{
			CampaignID: r.in.CampaignID, ContactID: r.in.ContactID, CommunicationID: c.CommunicationID, SessionID: c.SessionID,
			Status: c.Status, Results: c.Results, Reason: c.Reason, Timeout: c.Timeout, Now: workflow.Now(ctx),
		}
		if m := s.Contact.Communication(c.CommunicationID); m != nil {
			in.StageID = m.StageID
		}
		out, err := CloseSession.local(ctx, quick("end of "+name), in)
		return &campaign.Event{Kind: campaign.EventClosed, Held: out.Held, Until: out.Until}, err
	case campaign.CommandOpenLate:
		_, err := OpenLate.local(ctx, quick("open a session for the late reply to "+name), OpenLateInput{
			SessionID: c.SessionID, From: c.From, CommunicationID: c.CommunicationID, MessageID: c.MessageID, Now: workflow.Now(ctx),
		})
		return nil, err
	case campaign.CommandRelease:
		_, err := ReleaseAgent.local(ctx, quick("give the agent's place back"), ReleaseAgentInput{CommunicationID: c.CommunicationID})
		return nil, err
	default:
		r.calls = append(r.calls, c)
		return nil, nil
	}
}

// decide runs a strategy in place, or leaves it for its own queue if it is
// known not to keep the local budget.
func (r *run) decide(ctx workflow.Context, c campaign.Command, name string) (*campaign.Event, error) {
	if r.slow[c.Type] {
		r.calls = append(r.calls, c)
		return nil, nil
	}
	in := r.strategyInput(ctx, c)
	contact := r.state.Contact
	in.Contact, in.Local = &contact, true
	out, err := RunStrategy.local(ctx, budget(strategySummary(c, name)), in)
	switch {
	case err == nil:
		return &campaign.Event{Kind: campaign.EventDecided, Decided: &out}, nil
	case isType(err, ErrTypeStale), temporal.IsCanceledError(err):
		return nil, err
	default: // too slow, or the system is in trouble: its own queue waits and repeats
		r.slow[c.Type] = isType(err, ErrTypeSlow)
		r.calls = append(r.calls, c)
		return nil, nil
	}
}

// turnHere lets an agent answer in place if it can, else leaves the turn for an
// activity of its own. A session that a dead attempt may have closed is open in
// the store again only after the recording, so its turn comes after it.
func (r *run) turnHere(ctx workflow.Context, c campaign.Command, name string) (*campaign.Event, error) {
	if c.Turns == campaign.TurnsHere && !slices.Contains(r.state.Reopened, c.SessionID) {
		in := r.turnInput(ctx, c)
		in.Local = true
		out, err := Turn.local(ctx, quick("the agent's turn in "+name), in)
		if err == nil {
			return turned(c, &out), nil
		}
		if !isType(err, ErrTypeSlow) {
			return nil, err
		}
	}
	r.calls = append(r.calls, c)
	return nil, nil
}

func (r *run) turnInput(ctx workflow.Context, c campaign.Command) TurnInput {
	in := TurnInput{
		CampaignID: r.in.CampaignID, ContactID: r.in.ContactID, CommunicationID: c.CommunicationID, SessionID: c.SessionID,
		MessageID: c.MessageID, Now: workflow.Now(ctx),
	}
	if m := r.state.Contact.Communication(c.CommunicationID); m != nil {
		in.StageID = m.StageID
	}
	return in
}

func turned(c campaign.Command, out *campaign.TurnOutcome) *campaign.Event {
	return &campaign.Event{Kind: campaign.EventTurned, CommunicationID: c.CommunicationID, SessionID: c.SessionID, MessageID: c.MessageID, Turn: out}
}

func (r *run) strategyInput(ctx workflow.Context, c campaign.Command) StrategyInput {
	return StrategyInput{
		CampaignID: r.in.CampaignID, ContactID: r.in.ContactID, Type: c.Type, Step: c.Step,
		Ending: c.Ending, Message: c.Message, Import: c.Import, Now: workflow.Now(ctx),
	}
}

// begun starts a regular activity and waits for its result in the selector.
func (r *run) begun(ctx workflow.Context, c campaign.Command) {
	name := r.nameOf(c.CommunicationID)
	switch c.Kind {
	case campaign.CommandSend:
		m := r.state.Contact.Communication(c.CommunicationID)
		priority := c.Verdict.Priority
		if priority == 0 {
			priority = 3
		}
		f := Send.start(ctx, providerCall(c.Verdict.Queue, r.in.CampaignID, fmt.Sprintf("%s by %s", m.Name, c.Verdict.Channel), priority), SendInput{
			CampaignID: r.in.CampaignID, ContactID: r.in.ContactID, Communication: *m, Verdict: *c.Verdict,
		})
		r.sel.AddFuture(f, func(f workflow.Future) {
			r.arrive(campaign.Event{Kind: campaign.EventSent, CommunicationID: c.CommunicationID, Sent: sendOutcome(ctx, f)})
		})
	case campaign.CommandReply:
		queue := QueueOutbox
		if c.Queue != "" {
			queue = c.Queue
		}
		f := Reply.start(ctx, providerCall(queue, r.in.CampaignID, "answer in "+name, 1), ReplyInput{
			CampaignID: r.in.CampaignID, ContactID: r.in.ContactID, CommunicationID: c.CommunicationID, SessionID: c.SessionID, MessageID: c.MessageID,
			Attempt: c.Attempt,
		})
		r.sel.AddFuture(f, func(f workflow.Future) {
			r.arrive(campaign.Event{Kind: campaign.EventReplySent, CommunicationID: c.CommunicationID, MessageID: c.MessageID, Sent: sendOutcome(ctx, f)})
		})
	case campaign.CommandTurn:
		f := Turn.start(ctx, turnRun(r.in.CampaignID, "the agent's turn in "+name), r.turnInput(ctx, c))
		r.sel.AddFuture(f, func(f workflow.Future) {
			var out campaign.TurnOutcome
			if err := f.Get(ctx, &out); err != nil {
				out = campaign.TurnOutcome{Error: err.Error()}
			}
			r.arrive(*turned(c, &out))
		})
	case campaign.CommandStrategy:
		f := RunStrategy.start(ctx, strategyRun(r.in.CampaignID, strategySummary(c, name)), r.strategyInput(ctx, c))
		r.sel.AddFuture(f, func(f workflow.Future) {
			var out campaign.StrategyOutcome
			if err := f.Get(ctx, &out); err != nil {
				out = campaign.StrategyOutcome{Error: &campaign.StrategyError{Kind: "system", Message: err.Error()}}
			}
			r.arrive(campaign.Event{Kind: campaign.EventDecided, Decided: &out})
		})
	default:
	}
}

// sendOutcome reads a send's result. An activity that gave up is a person's
// business: its ledger row tells whether anything left.
func sendOutcome(ctx workflow.Context, f workflow.Future) *campaign.SendOutcome {
	var out campaign.SendOutcome
	if err := f.Get(ctx, &out); err != nil {
		return &campaign.SendOutcome{Outcome: campaign.SendAttention, Reason: "send_failed", Detail: lastWords(err)}
	}
	return &out
}

// lastWords is what the last attempt of an activity said, without Temporal's own.
func lastWords(err error) string {
	if said, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return said.Message()
	}
	return err.Error()
}

func (r *run) nameOf(communicationID string) string {
	if m := r.state.Contact.Communication(communicationID); m != nil {
		return m.Name
	}
	return "the contact"
}

func strategySummary(c campaign.Command, name string) string {
	switch c.Type {
	case campaign.Aggregation:
		return "aggregation after " + name
	case campaign.AgentAnswer:
		return "agent_answer in " + name
	default:
		return "data_load for a new row"
	}
}

// limit keeps a summary well inside Temporal's 400 bytes.
func limit(s string) string {
	if len(s) <= 300 {
		return s
	}
	return strings.ToValidUTF8(s[:300], "") + "…"
}
