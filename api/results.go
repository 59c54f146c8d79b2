package api

import (
	"context"
	"encoding/json"
	"slices"

	"carillon/campaign"
)

// ResultBody is how a session ended and what was found out.
type ResultBody struct {
	Status  campaign.SessionStatus `json:"status,omitempty" doc:"One of the fourteen ends."`
	Results campaign.Dict          `json:"results,omitempty"`
	Reason  string                 `json:"reason,omitempty" maxLength:"500"`
}

func (b *ResultBody) check() error {
	if !slices.Contains(campaign.SessionEnds, b.Status) {
		return campaign.Invalid("status", "%q is not one of %v", b.Status, campaign.SessionEnds)
	}
	if raw, err := json.Marshal(b.Results); err != nil || len(raw) > maxResults {
		return campaign.Invalid("results", "at most %d KiB as JSON", maxResults>>10)
	}
	return nil
}

type resultInput struct {
	ID   string `path:"id"`
	Body ResultBody
}

func (s *Server) addResult(ctx context.Context, in *resultInput) (*body[Accepted], error) {
	if in.Body.Status == "" {
		in.Body.Status = campaign.SessionCompleted
	}
	sess, err := s.ending(ctx, in)
	if err != nil {
		return nil, err
	}
	if _, err := s.outside(ctx, &sess); err != nil {
		return nil, err
	}
	return s.end(ctx, &sess, &in.Body, func(v campaign.Session) error {
		if v.Mode == campaign.ModeHuman && v.AgentID != "" {
			return campaign.Errorf(campaign.CodeConflict, "a person has the session; they resolve it or hand it back")
		}
		return stillOpen(v)
	}, "")
}

// maxResults leaves the contact's document room for more than one session.
const maxResults = 16 << 10

// ending is the session that somebody wants to end. It refuses an end there is
// not, and results that do not fit what the session's stage and agent declare.
func (s *Server) ending(ctx context.Context, in *resultInput) (campaign.Session, error) {
	if err := in.Body.check(); err != nil {
		return campaign.Session{}, err
	}
	sess, err := s.Store.Session(ctx, in.ID)
	if err != nil {
		return sess, err
	}
	_, fields, err := s.task(ctx, &sess)
	if err != nil {
		return sess, err
	}
	if found := campaign.CheckResults(fields, in.Body.Results); len(found) > 0 {
		return sess, &campaign.Error{Code: campaign.CodeInvalid, Message: "the results are not valid", Fields: found}
	}
	return sess, nil
}

// end commits the one result a session can have.
func (s *Server) end(ctx context.Context, sess *campaign.Session, b *ResultBody, guard func(campaign.Session) error, by string) (*body[Accepted], error) {
	id := "result-" + sess.ID
	fresh, err := s.tell(ctx, sess, id, said{
		event: campaign.Event{Kind: campaign.EventResult, Status: b.Status, Results: b.Results, Reason: b.Reason, Actor: by},
		guard: guard,
	})
	if err == nil && !fresh {
		err = campaign.Errorf(campaign.CodeConflict, "the session has a result already")
	}
	return accepted(id), err
}
