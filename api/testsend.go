package api

import (
	"context"
	"encoding/json"
	"errors"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// TestSend asks for a message on trial.
type TestSend struct {
	ForContact
	To          string `json:"to" minLength:"1" maxLength:"320" example:"me@example.com"`
	Alternative string `json:"alternative,omitempty" example:"default" doc:"The label; the stage's own delivery if not set."`
}

type testSendInput struct {
	ID      string `path:"id"`
	StageID string `path:"stage_id"`
	Body    TestSend
}

// testSend sends one rendered message to an address of the caller's: into the
// outbox in mode outbox, else through the delivery's integration, in mode redirect
// to the redirect address. No contact is touched.
func (s *Server) testSend(ctx context.Context, in *testSendInput) (*body[store.OutboxMessage], error) {
	input, err := s.renderInput(ctx, in.ID, in.StageID, &in.Body.ForContact)
	if err != nil {
		return nil, err
	}
	delivery, ok := input.Stage.Labelled(or(in.Body.Alternative, campaign.DefaultLabel))
	if !ok {
		return nil, campaign.Invalid("alternative", "the stage has no alternative %q", in.Body.Alternative)
	}
	input.Delivery = delivery
	message, err := s.Renderer.Render(ctx, *input)
	if err != nil {
		return nil, &campaign.Error{Code: campaign.CodeInvalid, Message: "the message cannot be rendered for this contact", Fields: []campaign.FieldError{channels.FieldError(err)}}
	}
	payload, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	sent := store.OutboxMessage{
		ID: newID("ob_"), At: s.now(), Channel: delivery.Channel, To: in.Body.To, Subject: message.Subject, Body: message.Body,
		Payload: payload, CampaignID: in.ID, ContactID: in.Body.ContactID, CorrelationKey: newID("test-"), Status: "sent",
	}
	if s.Mode == ModeOutbox {
		sent, err = s.Store.PutOutbox(ctx, sent)
	} else {
		err = s.sendOnTrial(ctx, &sent, delivery, &message)
	}
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "test_send", "campaigns/"+in.ID+"/stages/"+in.StageID, "to %s", sent.To)
	return &body[store.OutboxMessage]{sent}, nil
}

// sendOnTrial hands the message to the delivery's provider, once.
func (s *Server) sendOnTrial(ctx context.Context, m *store.OutboxMessage, d campaign.Delivery, text *channels.Rendered) error {
	if s.Mode == ModeRedirect {
		v, err := s.workspace(ctx)
		if err != nil {
			return err
		}
		if m.To = v.Redirect[string(d.Channel)]; m.To == "" {
			return campaign.Errorf(campaign.CodeConflict, "mode redirect needs an address for %s in PUT /v1/settings: redirect.%s", d.Channel, d.Channel)
		}
	}
	if err := channels.CheckAddress(d.Channel, m.To); err != nil {
		return campaign.Invalid("to", "%v", err)
	}
	name := d.Integration
	if name == "" && d.Agent != "" {
		agent, err := s.Store.Agent(ctx, d.Agent)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		name = agent.Integrations[string(d.Channel)]
	}
	i, err := s.Store.Integration(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return campaign.Errorf(campaign.CodeConflict, "the stage's delivery has no integration to send with")
	} else if err != nil {
		return err
	}
	if why := s.wrongProvider(&i, &d); why != "" {
		return campaign.Errorf(campaign.CodeConflict, "%s", why)
	}
	secrets, err := s.Store.IntegrationSecrets(ctx, i.ID)
	if err != nil {
		return keyless(err)
	}
	sender, err := s.Channels.Open(i, channels.Deps{HTTP: s.HTTP, Dial: s.Dial, Secrets: secrets, Now: s.Now})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, verifyTime)
		defer cancel()
		_, err = sender.Send(ctx, channels.Outbound{
			ID: m.ID, CorrelationKey: m.CorrelationKey, Channel: d.Channel, To: m.To, Subject: text.Subject, Body: text.Body, HTML: text.HTML,
			Delivery: d, Variables: text.Variables, CampaignID: m.CampaignID, At: m.At,
		})
	}
	switch f := channels.Classify(err); {
	case f == nil:
		return nil
	case f.MaybeSent():
		return campaign.Errorf(campaign.CodeUnavailable, "nobody knows whether it was sent: %v", f)
	case f.Retry():
		return campaign.Errorf(campaign.CodeUnavailable, "it was not sent: %v", f)
	case f.Class == channels.Config:
		return campaign.Errorf(campaign.CodeConflict, "the integration %s: %v", i.Name, f)
	default:
		return campaign.Errorf(campaign.CodeInvalid, "it was not sent: %v", f)
	}
}
