package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/channels"
)

func (s *Server) integrations(g huma.API) {
	op(s, g, http.MethodGet, "/integrations", "List integrations", Viewer,
		func(ctx context.Context, in *struct{ Page }) (*listed[campaign.Integration], error) {
			l, err := s.Store.Integrations(ctx, in.store())
			return listAs(l, showIntegration), err
		})
	op(s, g, http.MethodPost, "/integrations", "Create integration", Manager, s.createIntegration, answers(http.StatusCreated))
	op(s, g, http.MethodGet, "/integrations/{id}", "Read integration", Viewer,
		func(ctx context.Context, in *idInput) (*body[campaign.Integration], error) {
			return s.answerIntegration(ctx, in.ID)
		})
	op(s, g, http.MethodPut, "/integrations/{id}", "Replace integration", Manager, s.putIntegration,
		describe("Secrets that are left out stay; an empty one is removed. Another provider is refused while a stage or an agent uses a channel that it does not carry."))
	op(s, g, http.MethodDelete, "/integrations/{id}", "Delete integration", Manager, s.deleteIntegration, answers(http.StatusNoContent))
	op(s, g, http.MethodPost, "/integrations/{id}/verify", "Verify integration", Operator, s.verifyIntegration,
		describe("Whether it has what its provider needs and, where the provider can be asked, whether the provider accepts it. Nothing is sent. The answer becomes the integration's status; one that is paused keeps its own, which says why, until it is resumed."))
	op(s, g, http.MethodPost, "/integrations/{id}/pause", "Pause integration", Operator, s.pauseIntegration,
		describe("Nothing is sent through it: contacts wait."))
	op(s, g, http.MethodPost, "/integrations/{id}/resume", "Resume integration", Operator, s.resumeIntegration)
}

// IntegrationInput is what a caller sets of an integration.
type IntegrationInput struct {
	Name          string                     `json:"name" minLength:"1" maxLength:"200"`
	Provider      string                     `json:"provider" example:"outbox"`
	Settings      map[string]string          `json:"settings,omitempty"`
	Secrets       map[string]campaign.Secret `json:"secrets,omitempty" writeOnly:"true" doc:"Never shown again; secret_names lists which there are."`
	RatePerSecond float64                    `json:"rate_per_second,omitempty" minimum:"0" doc:"Sends per second; 0 is no limit of ours."`
}

func (in *IntegrationInput) into(i *campaign.Integration) {
	i.Name, i.Provider, i.Settings, i.RatePerSecond = in.Name, in.Provider, in.Settings, in.RatePerSecond
}

func showIntegration(i campaign.Integration) campaign.Integration {
	i.Settings, i.SecretNames = dict(i.Settings), list(i.SecretNames)
	return i
}

func (s *Server) answerIntegration(ctx context.Context, id string) (*body[campaign.Integration], error) {
	i, err := s.Store.Integration(ctx, id)
	return &body[campaign.Integration]{Body: showIntegration(i)}, err
}

// checkIntegration validates an integration and the secrets it comes with.
func (s *Server) checkIntegration(i *campaign.Integration, secrets map[string]campaign.Secret) error {
	if err := i.Validate(); err != nil {
		return err
	}
	return s.Channels.Validate(*i, secrets)
}

func (s *Server) createIntegration(ctx context.Context, in *struct{ Body IntegrationInput }) (*body[campaign.Integration], error) {
	i := campaign.Integration{ID: newID("in_"), Status: "ok", CreatedAt: s.now()}
	in.Body.into(&i)
	if err := s.checkIntegration(&i, in.Body.Secrets); err != nil {
		return nil, err
	}
	if err := s.Store.CreateIntegration(ctx, i); err != nil {
		return nil, nameTaken(err, "integration", i.Name)
	}
	if len(in.Body.Secrets) > 0 {
		if err := s.Store.SetIntegrationSecrets(ctx, i.ID, in.Body.Secrets); err != nil {
			return nil, errors.Join(keyless(err), s.Store.DeleteIntegration(ctx, i.ID))
		}
	}
	s.auditf(ctx, "create", "integrations/"+i.ID, "%s (%s)", i.Name, i.Provider)
	return s.answerIntegration(ctx, i.ID)
}

type integrationPut struct {
	ID   string `path:"id"`
	Body IntegrationInput
}

func (s *Server) putIntegration(ctx context.Context, in *integrationPut) (*body[campaign.Integration], error) {
	i, err := s.Store.Integration(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	before := i
	in.Body.into(&i)
	if err := s.checkIntegration(&i, in.Body.Secrets); err != nil {
		return nil, err
	}
	if err := s.checkProvider(ctx, &before, &i); err != nil {
		return nil, err
	}
	_, err = s.Store.UpdateIntegration(ctx, i.ID, func(i *campaign.Integration) error {
		in.Body.into(i)
		if !i.Paused { // why it is paused is said until it is resumed
			i.Status, i.StatusMessage = "ok", ""
		}
		return nil
	})
	if err != nil {
		return nil, nameTaken(err, "integration", in.Body.Name)
	}
	if len(in.Body.Secrets) > 0 {
		if err := s.Store.SetIntegrationSecrets(ctx, i.ID, in.Body.Secrets); err != nil {
			return nil, keyless(err)
		}
	}
	s.hooks.forget(i.ID)
	s.auditf(ctx, "update", "integrations/"+i.ID, "%s", in.Body.Name)
	return s.answerIntegration(ctx, i.ID)
}

func (s *Server) deleteIntegration(ctx context.Context, in *idInput) (*struct{}, error) {
	if err := s.Store.DeleteIntegration(ctx, in.ID); err != nil {
		return nil, err
	}
	s.hooks.forget(in.ID)
	s.auditf(ctx, "delete", "integrations/"+in.ID, "")
	return nil, nil
}

// Verification says whether an integration can be used.
type Verification struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// verifyTime bounds how long a provider is asked.
const verifyTime = 15 * time.Second

// ask opens the integration and, if its provider can be asked, asks it.
func (s *Server) ask(ctx context.Context, i campaign.Integration, secrets map[string]campaign.Secret) Verification {
	if err := s.Channels.Validate(i, secrets); err != nil {
		return Verification{Detail: err.Error()}
	}
	sender, err := s.Channels.Open(i, channels.Deps{HTTP: s.HTTP, Dial: s.Dial, Secrets: secrets, Now: s.Now})
	if err != nil {
		return Verification{Detail: channels.Classify(err).Error()}
	}
	out := Verification{OK: true, Detail: "it has everything its provider needs"}
	if v, ok := sender.(channels.Verifier); ok {
		ctx, cancel := context.WithTimeout(ctx, verifyTime)
		defer cancel()
		if out.Detail, err = v.Verify(ctx); err != nil {
			return Verification{Detail: channels.Classify(err).Error()}
		}
	}
	return out
}

func (s *Server) verifyIntegration(ctx context.Context, in *idInput) (*body[Verification], error) {
	i, err := s.Store.Integration(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	secrets, err := s.Store.IntegrationSecrets(ctx, i.ID)
	if err != nil {
		return nil, keyless(err)
	}
	out := s.ask(ctx, i, secrets)
	_, err = s.Store.UpdateIntegration(ctx, i.ID, func(i *campaign.Integration) error {
		if i.Paused {
			return nil
		}
		i.Status, i.StatusMessage = "ok", ""
		if !out.OK {
			i.Status, i.StatusMessage = "error", out.Detail
		}
		return nil
	})
	return &body[Verification]{Body: out}, err
}

func (s *Server) pauseIntegration(ctx context.Context, in *idInput) (*body[campaign.Integration], error) {
	i, err := s.Store.UpdateIntegration(ctx, in.ID, func(i *campaign.Integration) error {
		if i.Paused {
			return campaign.Errorf(campaign.CodeConflict, "the integration is paused already")
		}
		i.Paused = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "pause", "integrations/"+i.ID, "%s", i.Name)
	return &body[campaign.Integration]{Body: showIntegration(i)}, nil
}

type integrationResume struct {
	ID   string `path:"id"`
	Body *ResumeRequest
}

func (s *Server) resumeIntegration(ctx context.Context, in *integrationResume) (*body[campaign.Integration], error) {
	r, err := in.Body.release(campaign.HeldIntegration, in.ID)
	if err != nil {
		return nil, err
	}
	var i campaign.Integration
	err = s.releasing(ctx, "", r, func() (int, error) {
		i, err = s.Store.UpdateIntegration(ctx, in.ID, func(i *campaign.Integration) error {
			if !i.Paused {
				return campaign.Errorf(campaign.CodeConflict, "the integration is not paused")
			}
			i.Paused, i.Status, i.StatusMessage = false, "ok", ""
			return nil
		})
		return i.Version, err
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "resume", "integrations/"+i.ID, "%s", i.Name)
	return &body[campaign.Integration]{Body: showIntegration(i)}, nil
}
