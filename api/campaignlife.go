package api

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
	"carillon/workflows"
)

// act takes a campaign to the status an action leads to.
func (s *Server) act(ctx context.Context, in *CampaignRef, action campaign.Action) (campaign.Campaign, error) {
	c, err := s.Store.UpdateCampaign(ctx, in.ID, func(c *campaign.Campaign) error {
		if err := in.check(c.Version); err != nil {
			return err
		}
		to, err := c.Status.After(action)
		if err != nil {
			return err
		}
		now := s.now()
		if action == campaign.ActionStart {
			c.StartedAt = &now
		}
		if action == campaign.ActionStop {
			c.StoppedAt = &now
		}
		c.Status, c.StatusMessage = to, ""
		return nil
	})
	if err == nil {
		s.auditf(ctx, string(action), "campaigns/"+c.ID, "")
	}
	return c, err
}

func (s *Server) startCampaign(ctx context.Context, in *CampaignRef) (*tagged[Campaign], error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := c.Status.After(campaign.ActionStart); err != nil {
		return nil, err
	}
	report, err := s.inspect(ctx, c)
	if err != nil {
		return nil, err
	}
	if !report.OK {
		return nil, report.refusal()
	}
	if c, err = s.act(ctx, in, campaign.ActionStart); err != nil {
		return nil, err
	}
	s.wake(ctx, c.ID)
	return s.answerCampaign(ctx, c)
}

func (s *Server) pauseCampaign(ctx context.Context, in *CampaignRef) (*tagged[Campaign], error) {
	c, err := s.act(ctx, in, campaign.ActionPause)
	if err != nil {
		return nil, err
	}
	return s.answerCampaign(ctx, c)
}

// ResumeRequest says how to go on with what a pause has held up.
type ResumeRequest struct {
	Policy string            `json:"policy,omitempty" enum:"now,spread,restart_waits" default:"now" example:"spread" doc:"now sends what is overdue at once, spread over a span of time; restart_waits gives open sessions their whole time again."`
	Over   campaign.Duration `json:"over,omitempty" example:"3h" doc:"The span of spread."`
}

// release checks the request and makes it a release of holds.
func (r *ResumeRequest) release(cause, ref string) (campaign.Release, error) {
	out := campaign.Release{Cause: cause, Ref: ref, Policy: campaign.ResumeNow}
	if r != nil {
		out.Over = r.Over
		if r.Policy != "" {
			out.Policy = r.Policy
		}
	}
	if (out.Policy == campaign.ResumeSpread) != (out.Over > 0) {
		return out, campaign.Invalid("over", "spread needs it, such as 3h, and only spread")
	}
	return out, nil
}

type resumeInput struct {
	CampaignRef
	Body *ResumeRequest
}

func (s *Server) resumeCampaign(ctx context.Context, in *resumeInput) (*tagged[Campaign], error) {
	release, err := in.Body.release(campaign.HeldCampaign, in.ID)
	if err != nil {
		return nil, err
	}
	var c campaign.Campaign
	err = s.releasing(ctx, in.ID, release, func() (int, error) {
		c, err = s.act(ctx, &in.CampaignRef, campaign.ActionResume)
		return c.Version, err
	})
	if err != nil {
		return nil, err
	}
	s.wake(ctx, c.ID)
	return s.answerCampaign(ctx, c)
}

func (s *Server) stopCampaign(ctx context.Context, in *CampaignRef) (*tagged[Campaign], error) {
	c, err := s.act(ctx, in, campaign.ActionStop)
	if err != nil {
		return nil, err
	}
	after, cancel := afterCommit(ctx)
	defer cancel()
	if _, err := s.Store.StopPending(after, c.ID, s.now()); err != nil {
		s.Log.Error("stop pending contacts", "campaign_id", c.ID, "error", err)
	}
	s.sweep(ctx, workflows.SweepInput{ID: "stop-" + c.ID, Kind: workflows.SweepStop, CampaignID: c.ID})
	return s.answerCampaign(ctx, c)
}

// afterCommit is for what follows a write that has happened: it goes on when
// the client leaves, but not for ever.
func afterCommit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// wake has a campaign's contacts started. It comes after the write that counts:
// while Temporal is away it is only logged, and the worker catches up.
func (s *Server) wake(ctx context.Context, campaignID string) {
	if s.Temporal == nil {
		return
	}
	after, cancel := afterCommit(ctx)
	defer cancel()
	if err := relay.Wake(after, s.Temporal, campaignID); err != nil {
		s.Log.Error("wake the launcher", "campaign_id", campaignID, "error", err)
	}
}

// sweep starts a sweep, after the write that counts, as wake does. It reports
// whether Temporal has it.
func (s *Server) sweep(ctx context.Context, in workflows.SweepInput) bool {
	if s.Temporal == nil {
		return false
	}
	after, cancel := afterCommit(ctx)
	defer cancel()
	if err := relay.Sweep(after, s.Temporal, in); err != nil {
		s.Log.Error("start sweep", "campaign_id", in.CampaignID, "kind", string(in.Kind), "error", err)
		return false
	}
	return true
}

// releasing makes the write that ends a cause, and tells every contact it held.
// What is to be told is kept before that write: if Temporal is away after it, or
// this process is gone, a worker does it. The version of the record that was
// flipped makes every flip a sweep of its own.
func (s *Server) releasing(ctx context.Context, campaignID string, release campaign.Release, flip func() (version int, err error)) error {
	name := "release-" + release.Cause + "-" + release.Ref + "-"
	in := workflows.SweepInput{ID: name + newID("left-"), Kind: workflows.SweepRelease, Release: &release, CampaignID: campaignID}
	kept, err := s.keepSweep(ctx, in)
	if err != nil {
		return err
	}
	version, err := flip()
	if err != nil {
		s.dropSweep(ctx, kept)
		return err
	}
	in.ID, in.Since = name+strconv.Itoa(version), s.now()
	if s.sweep(ctx, in) {
		s.dropSweep(ctx, kept)
	}
	return nil
}

// keepSweep keeps a sweep until dropSweep and returns under which id; "" where
// there is no Temporal to start it.
func (s *Server) keepSweep(ctx context.Context, in workflows.SweepInput) (string, error) {
	if s.Temporal == nil {
		return "", nil
	}
	spec, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	return in.ID, s.Store.KeepSweep(ctx, store.KeptSweep{ID: in.ID, At: s.now(), Spec: spec})
}

// dropSweep forgets a kept sweep. One that stays is started again by a worker,
// which does no harm.
func (s *Server) dropSweep(ctx context.Context, id string) {
	if id == "" {
		return
	}
	after, cancel := afterCommit(ctx)
	defer cancel()
	if err := s.Store.DropSweep(after, id); err != nil {
		s.Log.Error("drop a kept sweep", "sweep", id, "error", err)
	}
}
