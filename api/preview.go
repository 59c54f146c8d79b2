package api

import (
	"context"
	"encoding/json"
	"errors"
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
	if out.Communications == nil {
		out.Communications = []campaign.Communication{}
	}
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
		UnsubscribeURL: strings.TrimSuffix(s.PublicURL, "/") + "/u/preview",
	}
	bot, err := s.Store.TelegramBot(ctx, campaignID)
	switch {
	case err == nil:
		in.TelegramLink = channels.StartURL(channels.BotUsername(&bot), channels.PreviewToken)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	for _, m := range contact.Communications {
		if m.StageID == stage.ID || m.StageName == stage.Name {
			in.Communication = m
		}
	}
	return in, nil
}
