package api

import (
	"context"
	"encoding/json"
	"strings"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// ForContact names a contact of the campaign, or describes one that is not stored.
type ForContact struct {
	ContactID string        `json:"contact_id,omitempty" example:"ct_0f1e2d3c4b5a69788796"`
	Contact   campaign.Dict `json:"contact,omitempty" example:"{\"name\":\"Ann\",\"email\":\"ann@example.com\",\"parameters\":{\"amount\":120}}"`
}

// find returns the contact, as it is stored or as it is described.
func (f *ForContact) find(ctx context.Context, s *Server, c *campaign.Campaign) (campaign.Contact, error) {
	if (f.ContactID == "") == (f.Contact == nil) {
		return campaign.Contact{}, campaign.Invalid("contact", "give contact_id or contact, and not both")
	}
	if f.ContactID != "" {
		return s.Store.Contact(ctx, c.ID, f.ContactID)
	}
	return described(f.Contact, "contact", c)
}

// described reads a contact that a client made up.
func described(d campaign.Dict, field string, c *campaign.Campaign) (campaign.Contact, error) {
	var out campaign.Contact
	text, err := json.Marshal(d)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, campaign.Invalid(field, "a field of the contact has the wrong type")
	}
	out.CampaignID = c.ID
	if out.ID == "" {
		out.ID = campaign.ContactID(c.ID, out.ObjectID, out.ExternalID)
	}
	if out.Status == "" {
		out.Status = campaign.ContactPending
	}
	return out, out.CheckSize()
}

type previewInput struct {
	ID      string `path:"id"`
	StageID string `path:"stage_id"`
	Body    ForContact
}

// Preview is a stage as a contact would get it.
type Preview struct {
	SendIf       bool                  `json:"send_if" doc:"Whether the stage's condition holds for the contact."`
	Warnings     []campaign.FieldError `json:"warnings" doc:"Of the condition."`
	Alternatives []PreviewedDelivery   `json:"alternatives"`
}

// PreviewedDelivery is one delivery, rendered.
type PreviewedDelivery struct {
	Label    string                `json:"label" example:"default"`
	Weight   float64               `json:"weight" example:"1"`
	Fallback bool                  `json:"fallback"`
	Channel  campaign.Channel      `json:"channel"`
	To       string                `json:"to" example:"ann@example.com" doc:"The contact's address, empty if there is none."`
	Message  channels.Rendered     `json:"message"`
	Warnings []campaign.FieldError `json:"warnings" doc:"What would make the communication be skipped."`
}

func (s *Server) previewStage(ctx context.Context, in *previewInput) (*body[Preview], error) {
	base, err := s.renderInput(ctx, in.ID, in.StageID, &in.Body)
	if err != nil {
		return nil, err
	}
	out := Preview{Warnings: []campaign.FieldError{}, Alternatives: []PreviewedDelivery{}}
	if out.SendIf, err = s.Renderer.Condition(ctx, base.Stage.SendIf, *base); err != nil {
		out.Warnings = append(out.Warnings, channels.FieldError(err))
	}
	for _, d := range deliveries(&base.Stage) {
		input := *base
		input.Delivery = *d.delivery
		p := PreviewedDelivery{Label: d.label, Weight: d.weight, Fallback: d.fallback, Channel: d.delivery.Channel}
		p.Message, p.Warnings = s.Renderer.Preview(ctx, input)
		if p.To, err = channels.Address(&input.Contact, d.delivery.Channel); err != nil {
			p.Warnings = append(p.Warnings, campaign.FieldError{Field: "to", Message: err.Error()})
		}
		out.Alternatives = append(out.Alternatives, p)
	}
	return &body[Preview]{out}, nil
}

// renderInput is what the stage's messages are rendered from, save the delivery.
func (s *Server) renderInput(ctx context.Context, campaignID, stageID string, who *ForContact) (*channels.Input, error) {
	c, err := s.Store.Campaign(ctx, campaignID)
	if err != nil {
		return nil, err
	}
	stage, err := s.Store.Stage(ctx, campaignID, stageID)
	if err != nil {
		return nil, err
	}
	contact, err := who.find(ctx, s, &c)
	if err != nil {
		return nil, err
	}
	in := &channels.Input{
		Campaign: c, Stage: stage, Contact: contact, Now: s.now(),
		UnsubscribeURL: strings.TrimSuffix(s.PublicURL, "/") + "/u/preview", TelegramLink: "https://t.me/bot?start=preview",
	}
	for _, m := range contact.Communications {
		if m.StageID == stage.ID || m.StageName == stage.Name {
			in.Communication = m
		}
	}
	return in, nil
}

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

func (s *Server) testSend(ctx context.Context, in *testSendInput) (*body[store.OutboxMessage], error) {
	if s.Mode != ModeOutbox {
		return nil, campaign.Errorf(campaign.CodeConflict, "messages on trial are sent in mode outbox only; this is %s", s.Mode)
	}
	input, err := s.renderInput(ctx, in.ID, in.StageID, &in.Body.ForContact)
	if err != nil {
		return nil, err
	}
	label := in.Body.Alternative
	if label == "" {
		label = campaign.DefaultLabel
	}
	delivery, ok := input.Stage.Labelled(label)
	if !ok {
		return nil, campaign.Invalid("alternative", "the stage has no alternative %q", label)
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
	sent, err := s.Store.PutOutbox(ctx, store.OutboxMessage{
		ID: newID("ob_"), At: s.now(), Channel: delivery.Channel, To: in.Body.To, Subject: message.Subject, Body: message.Body,
		Payload: payload, CampaignID: in.ID, ContactID: in.Body.ContactID, CorrelationKey: newID("test-"), Status: "sent",
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "test_send", "campaigns/"+in.ID+"/stages/"+in.StageID, "outbox %s", sent.ID)
	return &body[store.OutboxMessage]{sent}, nil
}
