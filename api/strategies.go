package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

// StrategyBody is a strategy as a client writes it; what is absent keeps what
// it is, or its default. What a client has read may be sent back.
type StrategyBody struct {
	Name     string                `json:"name,omitempty" example:"Plan the letters" doc:"The type if not set."`
	Type     campaign.StrategyType `json:"type,omitempty" example:"data_load"`
	Function string                `json:"function,omitempty" example:"run" doc:"What the code defines: run, or on_agent_answer for agent_answer, if not set."`
	Code     *string               `json:"code,omitempty" example:"def run(contact, existing_contact, logger):\n    return contact\n"`
	Network  *bool                 `json:"network,omitempty" doc:"May call the hosts of the campaign's egress."`

	ID          string `json:"id,omitempty" readOnly:"true"`
	CampaignID  string `json:"campaign_id,omitempty" readOnly:"true"`
	Version     int    `json:"version,omitempty" readOnly:"true"`
	Hash        string `json:"hash,omitempty" readOnly:"true"`
	Slow        bool   `json:"slow,omitempty" readOnly:"true"`
	Quarantined bool   `json:"quarantined,omitempty" readOnly:"true"`
	CreatedAt   string `json:"created_at,omitempty" readOnly:"true"`
	UpdatedAt   string `json:"updated_at,omitempty" readOnly:"true"`
}

func (b *StrategyBody) into(v *campaign.Strategy) {
	if b.Type != "" && b.Type != v.Type {
		v.Type, v.Function = b.Type, b.Type.DefaultFunction()
	}
	if b.Function != "" {
		v.Function = b.Function
	}
	if b.Code != nil {
		v.Code = *b.Code
	}
	if b.Network != nil {
		v.Network = *b.Network
	}
	if b.Name != "" {
		v.Name = b.Name
	}
	if v.Name == "" {
		v.Name = string(v.Type)
	}
}

// StrategyRef is the input of what is about one strategy.
type StrategyRef struct {
	ID         string `path:"id"`
	StrategyID string `path:"strategy_id"`
	Match
}

type strategyCreate struct {
	ID   string `path:"id"`
	Body StrategyBody
}

type strategyUpdate struct {
	StrategyRef
	Body StrategyBody
}

func (s *Server) strategies(g huma.API) {
	const all, one = "/campaigns/{id}/strategies", "/campaigns/{id}/strategies/{strategy_id}"
	op(s, g, http.MethodGet, all, "List strategies", Viewer, s.listStrategies)
	op(s, g, http.MethodPost, all, "Create a strategy", Manager, s.createStrategy, answers(http.StatusCreated), s.asForm,
		describe("As JSON, or as a form with the code in the part file. A problem in the code is 422 with its line and column."))
	op(s, g, http.MethodGet, one, "Read a strategy", Viewer, s.readStrategy)
	op(s, g, http.MethodPut, one, "Change a strategy", Manager, s.replaceStrategy, s.asForm,
		describe("New code or another function makes a new version; runs that have begun keep theirs."))
	op(s, g, http.MethodDelete, one, "Delete a strategy", Manager, s.deleteStrategy)
	op(s, g, http.MethodGet, one+"/code", "Read the code of a strategy", Viewer, s.readCode, answersText("text/x-python"))
	op(s, g, http.MethodGet, one+"/versions", "List the versions of a strategy", Viewer, s.listVersions)
	op(s, g, http.MethodPost, one+"/rollback", "Return to a version of a strategy", Manager, s.rollback,
		describe("Makes a new version of the old code. A version that was quarantined is refused."))
	op(s, g, http.MethodPost, one+"/test", "Try a strategy on a contact", Operator, s.tryStrategy,
		describe("Sends and stores nothing."))
	op(s, g, http.MethodPost, "/strategies/check", "Check the code of a strategy", Viewer, s.checkStrategy)
	op(s, g, http.MethodGet, "/campaigns/{id}/strategy_runs", "List runs of strategies", Viewer, s.listRuns)
}

func answerStrategy(v campaign.Strategy) *tagged[campaign.Strategy] {
	return &tagged[campaign.Strategy]{ETag: etag(v.Version), Body: v}
}

func (s *Server) listStrategies(ctx context.Context, in *struct {
	ID string `path:"id"`
},
) (*listed[campaign.Strategy], error) {
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	list, err := s.Store.Strategies(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return listOf(storeList(list)), nil
}

func (s *Server) createStrategy(ctx context.Context, in *strategyCreate) (*tagged[campaign.Strategy], error) {
	c, err := s.editable(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.Type == "" {
		return nil, campaign.Invalid("type", "data_load, aggregation or agent_answer")
	}
	now := s.now()
	v := campaign.Strategy{ID: newID("sg_"), CampaignID: c.ID, Version: 1, CreatedAt: now, UpdatedAt: now}
	in.Body.into(&v)
	if err := s.vet(ctx, &v); err != nil {
		return nil, err
	}
	if v, err = s.Store.CreateStrategy(ctx, v); err != nil {
		return nil, taken(err, "type", "the campaign has a %s strategy already; change that one", in.Body.Type)
	}
	s.auditf(ctx, "create", "campaigns/"+c.ID+"/strategies/"+v.ID, "%s %s", v.Type, v.Name)
	return answerStrategy(v), nil
}

func (s *Server) readStrategy(ctx context.Context, in *struct {
	ID         string `path:"id"`
	StrategyID string `path:"strategy_id"`
},
) (*tagged[campaign.Strategy], error) {
	v, err := s.Store.Strategy(ctx, in.ID, in.StrategyID)
	if err != nil {
		return nil, err
	}
	return answerStrategy(v), nil
}

func (s *Server) replaceStrategy(ctx context.Context, in *strategyUpdate) (*tagged[campaign.Strategy], error) {
	return s.changeStrategy(ctx, &in.StrategyRef, "update", in.Body.into)
}

// changeStrategy saves a change after the code was checked as it will be.
func (s *Server) changeStrategy(ctx context.Context, in *StrategyRef, action string, change func(*campaign.Strategy)) (*tagged[campaign.Strategy], error) {
	if _, err := s.editable(ctx, in.ID); err != nil {
		return nil, err
	}
	next, err := s.Store.Strategy(ctx, in.ID, in.StrategyID)
	if err != nil {
		return nil, err
	}
	change(&next)
	if err := s.vet(ctx, &next); err != nil {
		return nil, err
	}
	v, err := s.Store.UpdateStrategy(ctx, in.ID, in.StrategyID, func(v *campaign.Strategy) error {
		if err := in.check(v.Version); err != nil {
			return err
		}
		change(v)
		return nil
	})
	if err != nil {
		return nil, taken(err, "type", "the campaign has a %s strategy already", next.Type)
	}
	s.auditf(ctx, action, "campaigns/"+in.ID+"/strategies/"+v.ID, "version %d", v.Version)
	return answerStrategy(v), nil
}

func (s *Server) deleteStrategy(ctx context.Context, in *StrategyRef) (*struct{}, error) {
	if _, err := s.editable(ctx, in.ID); err != nil {
		return nil, err
	}
	v, err := s.Store.Strategy(ctx, in.ID, in.StrategyID)
	if err != nil {
		return nil, err
	}
	if err := in.check(v.Version); err != nil {
		return nil, err
	}
	if err := s.Store.DeleteStrategy(ctx, in.ID, in.StrategyID); err != nil {
		return nil, err
	}
	s.auditf(ctx, "delete", "campaigns/"+in.ID+"/strategies/"+v.ID, "%s %s", v.Type, v.Name)
	return nil, nil
}

type runsInput struct {
	ID        string                `path:"id"`
	Type      campaign.StrategyType `query:"type"`
	Status    string                `query:"status" enum:"ok,error"`
	ContactID string                `query:"contact_id"`
	Version   int                   `query:"version" minimum:"0"`
	Page
}

func (s *Server) listRuns(ctx context.Context, in *runsInput) (*listed[campaign.StrategyRun], error) {
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	l, err := s.Store.Runs(ctx, store.RunFilter{CampaignID: in.ID, ContactID: in.ContactID, Status: in.Status, Type: in.Type, Version: in.Version}, in.store())
	if err != nil {
		return nil, err
	}
	return listAs(l, func(r campaign.StrategyRun) campaign.StrategyRun {
		r.Logs = append([]campaign.LogLine{}, r.Logs...)
		return r
	}), nil
}
