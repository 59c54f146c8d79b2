package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"carillon/agents"
	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
	"carillon/workflows"
)

// Turn asks the session's agent for its answer to everything the contact said up
// to a message, and stores the answer before it is sent. Idempotent by that
// message: what the agent once said is said again by every later attempt, run
// and reset, under the same id, so the ledger sends it once. An agent that is
// asked and dies with the worker before its answer is stored is asked again; it
// is given the same turn id. The time-out is the activity's; trouble on the way
// to the agent is an error and repeated, what the agent cannot do is a result.
func (a *Activities) Turn(ctx context.Context, in workflows.TurnInput) (campaign.TurnOutcome, error) {
	if !in.Local {
		stop := heartbeats(ctx)
		defer stop()
	}
	if raw, ok, err := a.Store.TurnTaken(ctx, in.ContactID, in.MessageID); err != nil || ok {
		return turnOf(raw, err)
	}
	session, err := a.Store.Session(ctx, in.SessionID)
	if errors.Is(err, store.ErrNotFound) {
		return campaign.TurnOutcome{}, nil
	} else if err != nil {
		return campaign.TurnOutcome{}, err
	}
	switch {
	case session.Status != campaign.SessionOpen:
		return campaign.TurnOutcome{Closed: session.Status, Reason: session.Reason}, nil
	case session.Mode == campaign.ModeHuman, session.AgentID == "":
		return campaign.TurnOutcome{}, nil
	}
	agent, held, err := a.whoSpeaks(ctx, &in, &session)
	if err != nil || held != nil || agent == nil {
		return campaign.TurnOutcome{Held: held}, err
	}
	switch turns := a.Agents.Turns(agent.Kind); {
	case turns == campaign.TurnsNone:
		return campaign.TurnOutcome{}, nil
	case in.Local && turns != campaign.TurnsHere:
		return campaign.TurnOutcome{}, temporal.NewNonRetryableApplicationError("the agent needs its time", workflows.ErrTypeSlow, nil)
	}
	for i := range session.Messages {
		if session.Messages[i].ID == in.MessageID {
			session.Messages = session.Messages[:i+1]
			break
		}
	}
	answer, err := a.speak(ctx, *agent, in.MessageID, session, in.Now)
	if f, ok := errors.AsType[*agents.Failure](err); ok && f.Permanent {
		late, err := a.takenOver(ctx, in.SessionID)
		return campaign.TurnOutcome{Error: f.Error(), Late: late}, err
	} else if err != nil {
		return campaign.TurnOutcome{}, notYet(err)
	}
	raw, err := a.takeTurn(ctx, &in, &session, answer)
	if errors.Is(err, store.ErrConflict) { // a person has it by now, or it is over: the next turn says so
		if late, err := a.takenOver(ctx, in.SessionID); err != nil || !late {
			return campaign.TurnOutcome{}, err
		}
		return campaign.TurnOutcome{Content: answer.Content, End: answer.End, Reason: answer.Reason, Late: true}, nil
	}
	return turnOf(raw, err)
}

// takenOver reports that a person has the session by now.
func (a *Activities) takenOver(ctx context.Context, sessionID string) (bool, error) {
	s, err := a.Store.Session(ctx, sessionID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && s.Status == campaign.SessionOpen && s.Mode == campaign.ModeHuman, err
}

func turnOf(raw json.RawMessage, err error) (out campaign.TurnOutcome, _ error) {
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

// notYet passes on how long the agent asks to wait.
func notYet(err error) error {
	if f, ok := errors.AsType[*agents.Failure](err); ok {
		return temporal.NewApplicationErrorWithOptions(f.Error(), "AgentNotReached", temporal.ApplicationErrorOptions{
			NextRetryDelay: f.RetryAfter, Category: temporal.ApplicationErrorCategoryBenign,
		})
	}
	return err
}

// whoSpeaks returns the session's agent, or what its turn must wait for.
func (a *Activities) whoSpeaks(ctx context.Context, in *workflows.TurnInput, s *campaign.Session) (*campaign.Agent, *campaign.Hold, error) {
	h, err := a.pausedNow(ctx, &workflows.CloseInput{
		CampaignID: in.CampaignID, ContactID: in.ContactID, CommunicationID: in.CommunicationID, StageID: in.StageID, SessionID: in.SessionID, Now: in.Now,
	})
	if err != nil || h != nil {
		return nil, h, err
	}
	agent, err := a.Store.Agent(ctx, s.AgentID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case agent.Status.Runs():
		return &agent, nil, nil
	}
	h = &campaign.Hold{Cause: campaign.HeldAgentStopped, Ref: agent.ID, Since: in.Now}
	return nil, h, a.Store.AddHold(ctx, store.HeldContact{
		ContactID: in.ContactID, CampaignID: in.CampaignID, CommunicationID: in.CommunicationID, Cause: h.Cause, Ref: h.Ref, At: in.Now,
	})
}

// speak gives the agent its turn in a session as it is given.
func (a *Activities) speak(ctx context.Context, agent campaign.Agent, id string, s campaign.Session, now time.Time) (agents.Answer, error) {
	t := agents.Turn{ID: id, Session: s, Now: now}
	var err error
	if t.Contact, err = a.Store.Contact(ctx, s.CampaignID, s.ContactID); err != nil {
		return agents.Answer{}, settled(err)
	}
	if t.Campaign, err = a.Store.Campaign(ctx, s.CampaignID); err != nil {
		return agents.Answer{}, settled(err)
	}
	if m := t.Contact.Communication(s.CommunicationID); m != nil {
		t.Communication = *m
	}
	d := agents.Deps{HTTP: a.HTTP, Log: a.Log}
	if d.HTTP == nil {
		d.HTTP = channels.NewHTTPClient(false)
	}
	if d.Secrets, err = a.Store.AgentSecrets(ctx, agent.ID); err != nil {
		return agents.Answer{}, err
	}
	speaker, err := a.Agents.Open(agent, d)
	if errors.Is(err, agents.ErrNoTurns) {
		return agents.Answer{}, nil
	} else if err != nil {
		return agents.Answer{}, err
	}
	answer, err := speaker.Speak(ctx, t)
	a.asked(ctx, &agent, id, err)
	if errors.Is(err, channels.ErrPrivate) { // no later attempt is let through either
		err = &agents.Failure{Permanent: true, Err: err}
	}
	return answer, err
}

// maxTurnResults bounds what one turn may find out, as a result over REST is.
const maxTurnResults = 16 << 10

// decided is what an agent made of its turn beside its words.
func (a *Activities) decided(s *campaign.Session, answer *agents.Answer) campaign.TurnOutcome {
	out := campaign.TurnOutcome{End: answer.End, HandOff: answer.HandOff, Reason: answer.Reason, Results: answer.Results}
	if raw, err := json.Marshal(answer.Results); err != nil || len(raw) > maxTurnResults {
		out.Results = nil
		a.Log.Warn("results of a turn left out: over 16 KiB", "agent_id", s.AgentID, "session_id", s.ID)
	}
	return out
}

func (a *Activities) takeTurn(ctx context.Context, in *workflows.TurnInput, s *campaign.Session, answer agents.Answer) (json.RawMessage, error) {
	out := a.decided(s, &answer)
	w := store.TurnWrite{ContactID: in.ContactID, Key: in.MessageID, SessionID: s.ID, State: answer.State, Results: out.Results, HandOff: answer.HandOff, Reason: answer.Reason}
	if answer.Content != "" {
		out.MessageID, out.Content, out.Ordered = "trn_"+in.MessageID, answer.Content, true
		w.Message = &campaign.Message{
			ID: out.MessageID, SessionID: s.ID, Author: campaign.AuthorAgent, Content: answer.Content, At: a.now(), Delivery: "pending",
		}
	}
	var err error
	if w.Output, err = json.Marshal(out); err != nil {
		return nil, fmt.Errorf("write the turn of session %s: %w", s.ID, err)
	}
	raw, granted, err := a.Store.TakeTurn(ctx, w)
	if err == nil {
		a.tell(ctx, granted) // who waited for the agent's place
	}
	return raw, err
}
