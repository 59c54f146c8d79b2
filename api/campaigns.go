package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

// CampaignRef is the input of what is about one campaign.
type CampaignRef struct {
	ID string `path:"id" example:"cp_mfrggzdfmztwq2lknnwg"`
	Match
}

type campaignChange struct {
	ID string `path:"id"`
	Match
	Body patchOf[CampaignPatch] `contentType:"application/json"`
}

type campaignList struct {
	Status campaign.Status `query:"status"`
	Query  string          `query:"q" doc:"Part of the name, the description or a label."`
	Page
}

func (s *Server) campaigns(g huma.API) {
	op(s, g, http.MethodGet, "/campaigns", "List campaigns", Viewer, s.listCampaigns)
	op(s, g, http.MethodPost, "/campaigns", "Create a campaign", Manager, s.createCampaign, answers(http.StatusCreated))
	op(s, g, http.MethodGet, "/campaigns/{id}", "Read a campaign", Viewer, s.readCampaign)
	op(s, g, http.MethodPatch, "/campaigns/{id}", "Change a campaign", Manager, s.patchCampaign,
		describe("A JSON merge patch: what is absent stays, null empties, lists are replaced."))
	op(s, g, http.MethodDelete, "/campaigns/{id}", "Delete a campaign", Manager, s.deleteCampaign,
		describe("Only a draft or a stopped campaign, with everything in it."))
	op(s, g, http.MethodPost, "/campaigns/{id}/start", "Start a campaign", Manager, s.startCampaign,
		describe("Refused with 409 and the problems of the preflight that are errors."))
	op(s, g, http.MethodPost, "/campaigns/{id}/pause", "Pause a campaign", Manager, s.pauseCampaign)
	op(s, g, http.MethodPost, "/campaigns/{id}/resume", "Resume a campaign", Manager, s.resumeCampaign)
	op(s, g, http.MethodPost, "/campaigns/{id}/stop", "Stop a campaign", Manager, s.stopCampaign,
		describe("For good: every contact that has not ended is stopped."))
}

func (s *Server) listCampaigns(ctx context.Context, in *campaignList) (*listed[Campaign], error) {
	l, err := s.Store.Campaigns(ctx, store.CampaignFilter{Status: in.Status, Query: in.Query}, in.store())
	if err != nil {
		return nil, err
	}
	shown := store.List[Campaign]{Next: l.Next}
	for i := range l.Items {
		c, err := s.showCampaign(ctx, l.Items[i])
		if err != nil {
			return nil, err
		}
		shown.Items = append(shown.Items, c)
	}
	return listOf(shown), nil
}

func (s *Server) createCampaign(ctx context.Context, in *struct{ Body NewCampaign }) (*tagged[Campaign], error) {
	now := s.now()
	c := campaign.Campaign{ID: newID("cp_"), Name: in.Body.Name, Status: campaign.Draft, Version: 1, CreatedAt: now, UpdatedAt: now}
	in.Body.into(&c)
	if c.Timezone == "" {
		c.Timezone = "UTC"
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := s.Store.CreateCampaign(ctx, c); err != nil {
		return nil, err
	}
	if len(in.Body.Secrets) > 0 {
		if err := s.Store.SetCampaignSecrets(ctx, c.ID, in.Body.Secrets); err != nil {
			return nil, errors.Join(keyless(err), s.Store.DeleteCampaign(ctx, c.ID))
		}
	}
	s.auditf(ctx, "create", "campaigns/"+c.ID, "%s", c.Name)
	return s.answerCampaign(ctx, c)
}

// answerCampaign shows a campaign with its ETag.
func (s *Server) answerCampaign(ctx context.Context, c campaign.Campaign) (*tagged[Campaign], error) {
	shown, err := s.showCampaign(ctx, c)
	if err != nil {
		return nil, err
	}
	return &tagged[Campaign]{ETag: etag(c.Version), Body: shown}, nil
}

func (s *Server) readCampaign(ctx context.Context, in *struct {
	ID string `path:"id"`
},
) (*tagged[Campaign], error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return s.answerCampaign(ctx, c)
}

func (s *Server) patchCampaign(ctx context.Context, in *campaignChange) (*tagged[Campaign], error) {
	secrets, err := in.Body.secrets()
	if err != nil {
		return nil, err
	}
	c, err := s.Store.UpdateCampaign(ctx, in.ID, func(c *campaign.Campaign) error {
		if err := in.check(c.Version); err != nil {
			return err
		}
		next, err := in.Body.over(CampaignPatch{c.Name, fieldsOf(c)})
		if err != nil {
			return err
		}
		c.Name = next.Name
		next.into(c)
		return c.Validate()
	})
	if err != nil {
		return nil, err
	}
	if len(secrets) > 0 {
		if err := s.Store.SetCampaignSecrets(ctx, c.ID, secrets); err != nil {
			return nil, keyless(err)
		}
	}
	s.auditf(ctx, "update", "campaigns/"+c.ID, "version %d", c.Version)
	return s.answerCampaign(ctx, c)
}

func (s *Server) deleteCampaign(ctx context.Context, in *CampaignRef) (*struct{}, error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := in.check(c.Version); err != nil {
		return nil, err
	}
	if c.Status != campaign.Draft && c.Status != campaign.Stopped {
		return nil, campaign.Errorf(campaign.CodeConflict, "a campaign that is %s cannot be deleted; stop it first", c.Status)
	}
	if err := s.Store.DeleteCampaign(ctx, in.ID); err != nil {
		return nil, err
	}
	s.auditf(ctx, "delete", "campaigns/"+c.ID, "%s", c.Name)
	return nil, nil
}

// editable reads a campaign whose stages and contacts may still be changed.
func (s *Server) editable(ctx context.Context, id string) (campaign.Campaign, error) {
	c, err := s.Store.Campaign(ctx, id)
	if err == nil && c.Status == campaign.Stopped {
		err = campaign.Errorf(campaign.CodeConflict, "the campaign is stopped; it can only be read")
	}
	return c, err
}
