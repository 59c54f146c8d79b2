package api

import (
	"context"
	"errors"

	"carillon/campaign"
	"carillon/store"
)

// SessionDetail is a session with what a person must know who takes it.
type SessionDetail struct {
	campaign.Session
	Notes        []store.Note           `json:"notes"`
	Contact      *SessionContact        `json:"contact" doc:"Whom it is about; null if the contact was deleted."`
	Task         string                 `json:"task" doc:"What the stage's description says."`
	ResultFields []campaign.ResultField `json:"result_fields" doc:"What is to be found out: the stage's result fields and the agent's."`
}

// SessionContact is the contact of a session.
type SessionContact struct {
	ObjectID   string        `json:"object_id"`
	ExternalID string        `json:"external_id"`
	Name       string        `json:"name"`
	Email      string        `json:"email"`
	Phone      string        `json:"phone"`
	Timezone   string        `json:"timezone"`
	Language   string        `json:"language"`
	Parameters campaign.Dict `json:"parameters"`
	Results    campaign.Dict `json:"results"`
}

func (s *Server) detail(ctx context.Context, v *campaign.Session) (SessionDetail, error) {
	d := SessionDetail{Session: s.showSession(*v), ResultFields: []campaign.ResultField{}}
	notes, err := s.Store.Notes(ctx, v.ID)
	if err != nil {
		return d, err
	}
	d.Notes = list(notes)
	if d.Task, d.ResultFields, err = s.task(ctx, v); err != nil {
		return d, err
	}
	c, err := s.Store.Contact(ctx, v.CampaignID, v.ContactID)
	if errors.Is(err, store.ErrNotFound) {
		return d, nil
	} else if err != nil {
		return d, err
	}
	shown := s.showContact(c)
	d.Contact = &SessionContact{
		ObjectID: c.ObjectID, ExternalID: c.ExternalID, Name: c.Name, Email: c.Email, Phone: c.Phone, Timezone: c.Timezone, Language: c.Language,
		Parameters: orEmpty(shown.Parameters), Results: orEmpty(shown.Results),
	}
	return d, nil
}

func orEmpty(d campaign.Dict) campaign.Dict {
	if d == nil {
		return campaign.Dict{}
	}
	return d
}

// task says what a session is for, and what is to be found out in it: what its
// stage declares, and what its agent does. Where both declare a result, the stage's counts.
func (s *Server) task(ctx context.Context, v *campaign.Session) (description string, fields []campaign.ResultField, err error) {
	names, err := s.Store.StageNames(ctx, v.CampaignID) // it may be called otherwise by now
	if err != nil {
		return "", nil, err
	}
	stage, err := s.Store.Stage(ctx, v.CampaignID, names[v.StageName])
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", nil, err
	}
	fields = list(stage.ResultFields)
	if v.AgentID == "" {
		return stage.Description, fields, nil
	}
	agent, err := s.Store.Agent(ctx, v.AgentID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", nil, err
	}
	declared := map[string]bool{}
	for i := range fields {
		declared[fields[i].Name] = true
	}
	for _, f := range agent.ResultFields {
		if !declared[f.Name] {
			fields = append(fields, f)
		}
	}
	return stage.Description, fields, nil
}
