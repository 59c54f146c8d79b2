package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"carillon/campaign"
)

// TryBody is what a strategy is tried on.
type TryBody struct {
	ForContact
	Existing       campaign.Dict   `json:"existing_contact,omitempty" doc:"Of data_load: the contact before the import."`
	SessionResults campaign.Dict   `json:"session_results,omitempty" doc:"Of aggregation."`
	Message        json.RawMessage `json:"message,omitempty" doc:"Of agent_answer: the text, or a message."`
	Now            *time.Time      `json:"now,omitempty" doc:"What datetime.now() is; the present if not set."`
}

// Tried is how a run on trial ended.
type Tried struct {
	Contact json.RawMessage         `json:"contact" doc:"As the contact would be."`
	Diff    []campaign.Difference   `json:"diff"`
	Summary []string                `json:"summary" doc:"The same in words, dates in the contact's zone." example:"plan: \"Follow-up\" at stage \"Second Attempt\", Tue 2026-12-01 10:00 CET"`
	Logs    []campaign.LogLine      `json:"logs"`
	Error   *campaign.StrategyError `json:"error,omitempty"`
}

type tryInput struct {
	ID         string `path:"id"`
	StrategyID string `path:"strategy_id"`
	Body       TryBody
}

func (s *Server) tryStrategy(ctx context.Context, in *tryInput) (*body[Tried], error) {
	if s.Runner == nil {
		return nil, errNoRunner
	}
	v, err := s.Store.Strategy(ctx, in.ID, in.StrategyID)
	if err != nil {
		return nil, err
	}
	contact, r, err := s.tryRequest(ctx, in, v)
	if err != nil {
		return nil, err
	}
	trial, err := s.Runner.Try(ctx, r)
	if err != nil {
		return nil, err
	}
	out, err := tried(&contact, &r, &trial)
	if err != nil {
		return nil, err
	}
	return &body[Tried]{*out}, nil
}

// tryRequest gathers what the run is given.
func (s *Server) tryRequest(ctx context.Context, in *tryInput, v campaign.Strategy) (contact campaign.Contact, r TryRequest, err error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return contact, r, err
	}
	r = TryRequest{Campaign: c, Strategy: v, Now: s.now()}
	if in.Body.Now != nil {
		r.Now = in.Body.Now.UTC().Truncate(time.Microsecond)
	}
	if contact, err = in.Body.find(ctx, s, &c); err != nil {
		return contact, r, err
	}
	if r.Stages, err = s.Store.Stages(ctx, in.ID); err != nil {
		return contact, r, err
	}
	if r.Secrets, err = s.Store.CampaignSecrets(ctx, in.ID); err != nil {
		return contact, r, err
	}
	if r.Contact, err = json.Marshal(contact); err != nil {
		return contact, r, err
	}
	if in.Body.Existing != nil {
		existing, err := described(in.Body.Existing, "existing_contact", &c)
		if err != nil {
			return contact, r, err
		}
		if r.Existing, err = json.Marshal(existing); err != nil {
			return contact, r, err
		}
	}
	if v.Type == campaign.Aggregation {
		if r.SessionResults, err = json.Marshal(in.Body.SessionResults); err != nil {
			return contact, r, err
		}
	}
	r.Message, err = messageOf(in.Body.Message, v.Type)
	return contact, r, err
}

// messageOf makes a text the message of an agent.
func messageOf(raw json.RawMessage, t campaign.StrategyType) (json.RawMessage, error) {
	if t != campaign.AgentAnswer || len(raw) == 0 {
		return raw, nil
	}
	if raw[0] != '"' {
		return raw, nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, err
	}
	return json.Marshal(campaign.Message{Author: campaign.AuthorAgent, Content: text})
}

// tried takes what the strategy returned over into a copy of the contact.
func tried(contact *campaign.Contact, r *TryRequest, trial *Trial) (*Tried, error) {
	out := &Tried{Logs: append([]campaign.LogLine{}, trial.Logs...), Error: trial.Error}
	knowledge := campaign.Knowledge{Stages: r.Stages, Now: r.Now}
	for _, m := range contact.Communications {
		if m.Flagged {
			knowledge.Flagged = m.ID
		}
	}
	returned := trial.Contact
	if trial.Error != nil {
		returned = nil
	}
	t, err := campaign.Try(*contact, returned, knowledge, len(r.Existing) > 0, r.Campaign.Location())
	if bad, ok := errors.AsType[*campaign.BadResultError](err); ok {
		out.Error = &campaign.StrategyError{Kind: "bad_result", Message: bad.Error()}
	} else if err != nil {
		return nil, err
	}
	for _, note := range t.Notes {
		out.Logs = append(out.Logs, campaign.LogLine{Level: "warning", Message: note})
	}
	text, err := json.Marshal(t.After)
	if err != nil {
		return nil, err
	}
	out.Contact, out.Diff, out.Summary = campaign.Plain(text), t.Diff, t.Summary
	return out, nil
}
