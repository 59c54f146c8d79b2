package api

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"carillon/agents"
	"carillon/campaign"
	"carillon/channels"
)

// AgentTry is a conversation on trial, and where the agent is in it.
type AgentTry struct {
	Content    string         `json:"content,omitempty" maxLength:"50000" example:"Yes, on 24.12.2026" doc:"What the contact says now. Without it and messages, the agent opens the conversation."`
	Messages   []AgentTrySaid `json:"messages,omitempty" maxItems:"200" doc:"What was said before, oldest first."`
	State      string         `json:"state,omitempty" maxLength:"200" doc:"Where the agent is; of the answer before."`
	StartState string         `json:"start_state,omitempty" maxLength:"200" doc:"Where it begins if state is empty, as a stage would say."`
	Results    campaign.Dict  `json:"results,omitempty" doc:"What it has found out before."`
	CampaignID string         `json:"campaign_id,omitempty" doc:"The campaign that texts speak of."`
	ContactID  string         `json:"contact_id,omitempty" doc:"A contact of the campaign that texts speak of."`
	Contact    campaign.Dict  `json:"contact,omitempty" doc:"Or one that is not stored." example:"{\"name\":\"Ann\",\"parameters\":{\"amount\":120}}"`
}

// AgentTrySaid is one message of a conversation on trial.
type AgentTrySaid struct {
	Author  campaign.Author `json:"author" enum:"contact,agent,operator" example:"agent"`
	Content string          `json:"content" maxLength:"50000" example:"Can you pay by Friday?"`
}

// AgentTried is what the agent makes of its turn.
type AgentTried struct {
	Content string                 `json:"content" doc:"What it would say; nothing if empty."`
	State   string                 `json:"state" doc:"Where it would be then."`
	Results campaign.Dict          `json:"results" doc:"What this turn found out."`
	End     campaign.SessionStatus `json:"end" doc:"How it would end the session; it goes on if empty."`
	HandOff bool                   `json:"hand_off" doc:"A person would take over."`
	Reason  string                 `json:"reason" doc:"Of the end or the hand-off."`
	Error   *AgentTryError         `json:"error,omitempty" doc:"Why it could not take its turn."`
}

// AgentTryError is why an agent could not take its turn.
type AgentTryError struct {
	Message   string `json:"message"`
	Permanent bool   `json:"permanent" doc:"A person must mend it; else it would be tried again."`
}

type agentTryInput struct {
	ID   string `path:"id"`
	Body AgentTry
}

func (s *Server) tryAgent(ctx context.Context, in *agentTryInput) (*body[AgentTried], error) {
	a, err := s.Store.Agent(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	turn, err := s.tryTurn(ctx, &a, &in.Body)
	if err != nil {
		return nil, err
	}
	d := agents.Deps{HTTP: s.HTTP, Log: s.Log}
	if d.Secrets, err = s.Store.AgentSecrets(ctx, a.ID); err != nil {
		return nil, keyless(err)
	}
	var answer agents.Answer
	speaker, err := s.Agents.Open(a, d)
	if errors.Is(err, agents.ErrNoTurns) {
		return nil, campaign.Errorf(campaign.CodeConflict,
			"the agent %s is of kind %s: it answers by itself, through POST /v1/sessions/{id}/answers, so there is nothing to try here", a.Name, a.Kind)
	}
	if err == nil {
		answer, err = speaker.Speak(ctx, *turn)
	}
	if errors.Is(err, channels.ErrPrivate) {
		err = &agents.Failure{Permanent: true, Err: err}
	}
	out := &AgentTried{
		Content: answer.Content, State: or(answer.State, turn.Session.State), Results: answer.Results,
		End: answer.End, HandOff: answer.HandOff, Reason: answer.Reason,
	}
	if f, ok := errors.AsType[*agents.Failure](err); ok {
		out.Error = &AgentTryError{Message: f.Error(), Permanent: f.Permanent}
	} else if err != nil {
		return nil, err
	}
	return &body[AgentTried]{*out}, nil
}

// tryTurn makes the turn of a session that is not stored.
func (s *Server) tryTurn(ctx context.Context, a *campaign.Agent, in *AgentTry) (*agents.Turn, error) {
	now := s.now()
	t := &agents.Turn{ID: newID("try-"), Now: now, Campaign: campaign.Campaign{Name: "Try", Timezone: "UTC"}}
	var err error
	if in.CampaignID != "" {
		if t.Campaign, err = s.Store.Campaign(ctx, in.CampaignID); err != nil {
			return nil, err
		}
	}
	who := ForContact{ContactID: in.ContactID, Contact: in.Contact}
	switch {
	case in.ContactID != "" && in.CampaignID == "":
		return nil, campaign.Invalid("campaign_id", "of which campaign is the contact?")
	case in.ContactID == "" && in.Contact == nil:
		who.Contact = campaign.Dict{"name": json.RawMessage(`"Ann"`)}
	}
	if t.Contact, err = who.find(ctx, s, &t.Campaign); err != nil {
		return nil, err
	}
	if raw, err := json.Marshal(in.Results); err != nil || len(raw) > maxResults {
		return nil, campaign.Invalid("results", "at most %d KiB as JSON", maxResults>>10)
	}
	t.Communication = campaign.Communication{ID: campaign.CommunicationID(t.Contact.ID, 1), Name: "Try"}
	t.Session = campaign.Session{
		ID: campaign.SessionID(t.Communication.ID), CampaignID: t.Campaign.ID, ContactID: t.Contact.ID, CommunicationID: t.Communication.ID,
		AgentID: a.ID, Mode: campaign.ModeAI, Status: campaign.SessionOpen, CreatedAt: now, State: or(in.State, in.StartState), Results: in.Results,
	}
	said := in.Messages
	if strings.TrimSpace(in.Content) != "" {
		said = append(said[:len(said):len(said)], AgentTrySaid{Author: campaign.AuthorContact, Content: in.Content})
	}
	for _, m := range said {
		t.Session.Messages = append(t.Session.Messages, campaign.Message{ID: newID("try-"), SessionID: t.Session.ID, Author: m.Author, Content: m.Content, At: now})
	}
	return t, nil
}
