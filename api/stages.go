package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
)

// StageRef is the input of what is about one stage.
type StageRef struct {
	ID      string `path:"id"`
	StageID string `path:"stage_id"`
	Match
}

type stageCreate struct {
	ID   string `path:"id"`
	Body StageBody
}

type stageUpdate struct {
	StageRef
	Body StageBody
}

type stageOrder struct {
	ID   string `path:"id"`
	Body struct {
		StageIDs []string `json:"stage_ids" example:"[\"st_a\",\"st_b\"]" doc:"Every stage of the campaign, once."`
	}
}

func (s *Server) stages(g huma.API) {
	const all, one = "/campaigns/{id}/stages", "/campaigns/{id}/stages/{stage_id}"
	op(s, g, http.MethodGet, all, "List stages", Viewer, s.listStages)
	op(s, g, http.MethodPost, all, "Create a stage", Manager, s.createStage, answers(http.StatusCreated))
	op(s, g, http.MethodPut, all+"/order", "Order the stages", Manager, s.orderStages)
	op(s, g, http.MethodGet, one, "Read a stage", Viewer, s.readStage)
	op(s, g, http.MethodPut, one, "Replace a stage", Manager, s.replaceStage,
		describe("Planned communications follow the edit; past ones keep what they were."))
	op(s, g, http.MethodDelete, one, "Delete a stage", Manager, s.deleteStage,
		describe("409 while a contact or an unfinished communication is at the stage."))
	op(s, g, http.MethodPost, one+"/pause", "Pause a stage", Manager, s.pauseStage)
	op(s, g, http.MethodPost, one+"/resume", "Resume a stage", Manager, s.resumeStage)
	op(s, g, http.MethodPost, one+"/preview", "Preview a stage", Viewer, s.previewStage,
		describe("Renders every delivery of the stage for a contact; sends nothing."))
	op(s, g, http.MethodPost, one+"/test_send", "Send a stage on trial", Manager, s.testSend,
		describe("In mode outbox only: puts the rendered message into the outbox."))
}

// showStage has empty lists for nil ones.
func showStage(s campaign.Stage) campaign.Stage {
	s.Alternatives = append([]campaign.Alternative{}, s.Alternatives...)
	return s
}

func answerStage(s campaign.Stage) *tagged[campaign.Stage] {
	return &tagged[campaign.Stage]{ETag: etag(s.Version), Body: showStage(s)}
}

func (s *Server) listStages(ctx context.Context, in *struct {
	ID string `path:"id"`
},
) (*listed[campaign.Stage], error) {
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	stages, err := s.Store.Stages(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return listAs(storeList(stages), showStage), nil
}

func (s *Server) createStage(ctx context.Context, in *stageCreate) (*tagged[campaign.Stage], error) {
	c, err := s.editable(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	stage := campaign.Stage{ID: newID("st_"), CampaignID: c.ID, Version: 1, CreatedAt: now, UpdatedAt: now}
	in.Body.into(&stage)
	if err := s.checkStage(ctx, &stage); err != nil {
		return nil, err
	}
	stage, err = s.Store.CreateStage(ctx, stage)
	if err != nil {
		return nil, taken(err, "name", "another stage of the campaign has the name %q", in.Body.Name)
	}
	s.auditf(ctx, "create", "campaigns/"+c.ID+"/stages/"+stage.ID, "%s", stage.Name)
	return answerStage(stage), nil
}

func (s *Server) readStage(ctx context.Context, in *struct {
	ID      string `path:"id"`
	StageID string `path:"stage_id"`
},
) (*tagged[campaign.Stage], error) {
	stage, err := s.Store.Stage(ctx, in.ID, in.StageID)
	if err != nil {
		return nil, err
	}
	return answerStage(stage), nil
}

func (s *Server) replaceStage(ctx context.Context, in *stageUpdate) (*tagged[campaign.Stage], error) {
	if _, err := s.editable(ctx, in.ID); err != nil {
		return nil, err
	}
	next, err := s.Store.Stage(ctx, in.ID, in.StageID)
	if err != nil {
		return nil, err
	}
	in.Body.into(&next)
	if err := s.checkStage(ctx, &next); err != nil {
		return nil, err
	}
	stage, err := s.Store.UpdateStage(ctx, in.ID, in.StageID, func(v *campaign.Stage) error {
		if err := in.check(v.Version); err != nil {
			return err
		}
		in.Body.into(v)
		return nil
	})
	if err != nil {
		return nil, taken(err, "name", "another stage of the campaign has the name %q", in.Body.Name)
	}
	s.auditf(ctx, "update", "campaigns/"+in.ID+"/stages/"+stage.ID, "version %d", stage.Version)
	return answerStage(stage), nil
}

func (s *Server) orderStages(ctx context.Context, in *stageOrder) (*listed[campaign.Stage], error) {
	if _, err := s.editable(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := s.Store.OrderStages(ctx, in.ID, in.Body.StageIDs); err != nil {
		return nil, taken(err, "stage_ids", "name every stage of the campaign once")
	}
	s.auditf(ctx, "order", "campaigns/"+in.ID+"/stages", "")
	stages, err := s.Store.Stages(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return listAs(storeList(stages), showStage), nil
}

func (s *Server) deleteStage(ctx context.Context, in *StageRef) (*struct{}, error) {
	if _, err := s.editable(ctx, in.ID); err != nil {
		return nil, err
	}
	stage, err := s.Store.Stage(ctx, in.ID, in.StageID)
	if err != nil {
		return nil, err
	}
	if err := in.check(stage.Version); err != nil {
		return nil, err
	}
	if err := s.Store.DeleteStage(ctx, in.ID, in.StageID); err != nil {
		return nil, taken(err, "stage_id", "a contact or a communication that has not ended is at this stage")
	}
	s.auditf(ctx, "delete", "campaigns/"+in.ID+"/stages/"+stage.ID, "%s", stage.Name)
	return nil, nil
}
