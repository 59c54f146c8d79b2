package api

import (
	"context"

	"carillon/campaign"
)

type stageResume struct {
	StageRef
	Body *ResumeRequest
}

func (s *Server) pauseStage(ctx context.Context, in *StageRef) (*tagged[campaign.Stage], error) {
	return s.flipStage(ctx, in, true)
}

func (s *Server) resumeStage(ctx context.Context, in *stageResume) (*tagged[campaign.Stage], error) {
	release, err := in.Body.release(campaign.HeldStage, in.StageID)
	if err != nil {
		return nil, err
	}
	var out *tagged[campaign.Stage]
	err = s.releasing(ctx, in.ID, release, func() (int, error) {
		if out, err = s.flipStage(ctx, &in.StageRef, false); err != nil {
			return 0, err
		}
		return out.Body.Version, nil
	})
	return out, err
}

func (s *Server) flipStage(ctx context.Context, in *StageRef, paused bool) (*tagged[campaign.Stage], error) {
	if _, err := s.editable(ctx, in.ID); err != nil {
		return nil, err
	}
	action := map[bool]string{true: "pause", false: "resume"}[paused]
	stage, err := s.Store.UpdateStage(ctx, in.ID, in.StageID, func(v *campaign.Stage) error {
		if err := in.check(v.Version); err != nil {
			return err
		}
		if v.Paused == paused {
			return campaign.Errorf(campaign.CodeConflict, "cannot %s the stage: it is %s", action, map[bool]string{true: "paused", false: "not paused"}[paused])
		}
		v.Paused, v.PausedBecause = paused, ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, action, "campaigns/"+in.ID+"/stages/"+stage.ID, "%s", stage.Name)
	return answerStage(stage), nil
}
