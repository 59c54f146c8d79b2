package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carillon/agents"
	"carillon/campaign"
	"carillon/store"
)

// sendTime is what is left of an attempt for the provider after a greeting; with
// less, the message might leave and nobody learn of it.
const sendTime = 11 * time.Second

// greet asks the agent how it opens a session; the same words for every attempt.
// One that took its time is kept, and sent by the next attempt.
func (a *Activities) greet(ctx context.Context, agent campaign.Agent, s campaign.Session, now time.Time) (agents.Answer, error) {
	var answer agents.Answer
	raw, ok, err := a.Store.TurnTaken(ctx, s.ContactID, s.ID)
	if err == nil && !ok {
		if answer, err = a.speak(ctx, agent, s.ID, s, now); err != nil {
			return answer, err
		}
		if raw, err = json.Marshal(answer); err != nil {
			return answer, fmt.Errorf("write the greeting of session %s: %w", s.ID, err)
		}
		raw, _, err = a.Store.TakeTurn(ctx, store.TurnWrite{ContactID: s.ContactID, Key: s.ID, Output: raw})
		if end, ok := ctx.Deadline(); ok && err == nil && time.Until(end) < sendTime {
			err = &agents.Failure{RetryAfter: time.Millisecond, Err: errors.New("the agent took its time to open the session; what it says is sent next")}
		}
	}
	if err != nil {
		return answer, err
	}
	answer = agents.Answer{}
	return answer, json.Unmarshal(raw, &answer)
}

// greeting is how the agent opens a session for which no opening is written
// down; it says nothing if one is, or the agent has nothing to say. It moves the
// session to the state the agent is in then.
func (p *passage) greeting(ctx context.Context, session *campaign.Session, turns campaign.Turns) (agents.Answer, error) {
	switch ch := p.delivery.Channel; {
	case session == nil || turns == campaign.TurnsNone || p.delivery.Template != "":
		return agents.Answer{}, nil
	case ch != campaign.Telegram && !ch.Voice():
		return agents.Answer{}, nil
	}
	answer, err := p.a.greet(ctx, p.agent, *session, p.a.now())
	if answer.State != "" {
		session.State = answer.State
	}
	return answer, err
}

// conclude does what the agent made of its opening turn beside its words, once they
// have left, or may have: the session keeps what it has found out, and people are
// given it. The contact's run is told, and ends it if the agent did. Idempotent: an
// agent's opening is concluded once.
func (p *passage) conclude(ctx context.Context, greeting *agents.Answer, out *campaign.SendOutcome, session *campaign.Session) error {
	if session == nil || out.Outcome != campaign.SendSent && out.Outcome != campaign.SendUnknown {
		return nil
	}
	made := p.a.decided(session, greeting)
	if !made.HandOff && !made.End.Ended() && len(made.Results) == 0 {
		return nil
	}
	raw, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("write the opening turn of session %s: %w", session.ID, err)
	}
	_, granted, err := p.a.Store.TakeTurn(ctx, store.TurnWrite{
		ContactID: session.ContactID, Key: session.ID + "/opened", SessionID: session.ID, Results: made.Results, HandOff: made.HandOff, Reason: made.Reason, Output: raw,
	})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) { // a person has it by now, or it is over
		return nil
	} else if err != nil {
		return err
	}
	p.a.tell(ctx, granted) // who waited for the agent's place
	out.Opened = &made
	return nil
}
