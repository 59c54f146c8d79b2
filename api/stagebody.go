package api

import (
	"context"
	"errors"
	"fmt"

	"carillon/campaign"
	"carillon/store"
)

// StageBody is a stage as a client writes it. What a client has read may be
// sent back: the fields that are not its to set are ignored.
type StageBody struct {
	Name           string            `json:"name" example:"First letter" doc:"Unique in the campaign: strategies name it."`
	Description    string            `json:"description,omitempty"`
	SessionTimeout campaign.Duration `json:"session_timeout,omitempty" example:"72h" doc:"How long to wait for the contact; the channel's default if not set."`
	SendIf         string            `json:"send_if,omitempty" example:"parameters.paid != true" doc:"A Liquid condition; false skips the communication."`
	Outcome        campaign.Outcome  `json:"outcome,omitempty" doc:"Of a final stage (channel none)."`
	Weight         *float64          `json:"weight,omitempty" minimum:"0" example:"1" doc:"Of the stage's own delivery among its alternatives; 1 if not set."`
	Delivery       campaign.Delivery `json:"delivery" example:"{\"channel\":\"email_notification\",\"subject\":\"Invoice\",\"template\":\"Hello {{ name }}\"}"`
	Alternatives   []AlternativeBody `json:"alternatives,omitempty"`

	ResultFields []campaign.ResultField `json:"result_fields,omitempty" doc:"What a person who resolves a session is to find out, beside the result fields of its agent."`

	ID         string `json:"id,omitempty" readOnly:"true"`
	CampaignID string `json:"campaign_id,omitempty" readOnly:"true"`
	Position   int    `json:"position,omitempty" readOnly:"true"`
	Paused     bool   `json:"paused,omitempty" readOnly:"true"`
	Because    string `json:"paused_because,omitempty" readOnly:"true" doc:"What the provider refused, if nobody paused it."`
	Version    int    `json:"version,omitempty" readOnly:"true"`
	CreatedAt  string `json:"created_at,omitempty" readOnly:"true"`
	UpdatedAt  string `json:"updated_at,omitempty" readOnly:"true"`
}

// AlternativeBody is another delivery of a stage.
type AlternativeBody struct {
	Label    string            `json:"label" example:"short"`
	Weight   *float64          `json:"weight,omitempty" minimum:"0" example:"1" doc:"1 if not set."`
	Fallback bool              `json:"fallback,omitempty" doc:"Never drawn; tried when the address is missing or the provider refuses."`
	Delivery campaign.Delivery `json:"delivery" example:"{\"channel\":\"email_notification\",\"subject\":\"Invoice\",\"template\":\"Hi {{ name }}\"}"`
}

func (b *StageBody) into(s *campaign.Stage) {
	s.Name, s.Description, s.SessionTimeout, s.SendIf = b.Name, b.Description, b.SessionTimeout, b.SendIf
	s.Outcome, s.Weight, s.Delivery = b.Outcome, weight(b.Weight), b.Delivery
	s.ResultFields = b.ResultFields
	s.Alternatives = make([]campaign.Alternative, 0, len(b.Alternatives))
	for _, a := range b.Alternatives {
		s.Alternatives = append(s.Alternatives, campaign.Alternative{Label: a.Label, Weight: weight(a.Weight), Fallback: a.Fallback, Delivery: a.Delivery})
	}
}

func weight(w *float64) float64 {
	if w == nil {
		return 1
	}
	return *w
}

// placed is a delivery of a stage and where in the stage it is.
type placed struct {
	at       string
	label    string
	weight   float64
	fallback bool
	delivery *campaign.Delivery
}

// deliveries lists the stage's own delivery and those of its alternatives.
func deliveries(s *campaign.Stage) []placed {
	out := []placed{{"delivery", campaign.DefaultLabel, s.Weight, false, &s.Delivery}}
	for i := range s.Alternatives {
		a := &s.Alternatives[i]
		out = append(out, placed{fmt.Sprintf("alternatives[%d].delivery", i), a.Label, a.Weight, a.Fallback, &a.Delivery})
	}
	return out
}

// checkStage reports everything that is wrong with a stage before it is saved:
// its own rules, its templates, an agent or integration that does not exist, an
// integration whose provider does not carry the channel. In mode outbox
// integrations may be missing.
func (s *Server) checkStage(ctx context.Context, stage *campaign.Stage) error {
	out := &campaign.Error{Code: campaign.CodeInvalid, Message: "the stage is not valid"}
	var invalid *campaign.Error
	if errors.As(stage.Validate(), &invalid) {
		out.Fields = append(out.Fields, invalid.Fields...)
	}
	out.Fields = append(out.Fields, stage.Misplaced()...)
	out.Fields = append(out.Fields, s.Renderer.Check(*stage)...)
	for _, d := range deliveries(stage) {
		if name := d.delivery.Agent; name != "" {
			if _, err := s.Store.Agent(ctx, name); errors.Is(err, store.ErrNotFound) {
				out.Fields = append(out.Fields, campaign.FieldError{Field: d.at + ".agent", Message: fmt.Sprintf("there is no agent %q", name)})
			} else if err != nil {
				return err
			}
		}
		found, err := s.checkIntegrationOf(ctx, d)
		if err != nil {
			return err
		}
		out.Fields = append(out.Fields, found...)
	}
	if len(out.Fields) == 0 {
		return nil
	}
	return out
}

// checkIntegrationOf reports what is wrong with the integration a delivery names.
// In mode outbox it may be missing, and nothing else of it counts but its channels:
// what is written then may go live later.
func (s *Server) checkIntegrationOf(ctx context.Context, d placed) ([]campaign.FieldError, error) {
	name := d.delivery.Integration
	if name == "" {
		return nil, nil
	}
	i, err := s.Store.Integration(ctx, name)
	switch missing := errors.Is(err, store.ErrNotFound); {
	case missing && s.Mode == ModeOutbox:
		return nil, nil
	case missing:
		return []campaign.FieldError{{Field: d.at + ".integration", Message: fmt.Sprintf("there is no integration %q", name)}}, nil
	case err != nil:
		return nil, err
	}
	if why := s.wrongProvider(&i, d.delivery); why != "" {
		return []campaign.FieldError{{Field: d.at + ".integration", Message: why}}, nil
	}
	if why := s.neverDelivered(d.delivery, &i); why != "" && s.Mode != ModeOutbox {
		return []campaign.FieldError{{Field: d.at + ".complete_on", Message: why}}, nil
	}
	return nil, nil
}

// neverDelivered says why a delivery that completes when it is delivered never
// would through the integration, or "".
func (s *Server) neverDelivered(d *campaign.Delivery, i *campaign.Integration) string {
	p, ok := s.Channels.Provider(i.Provider)
	if d.CompleteOn != "delivered" || !ok || !p.Describe().NoReports {
		return ""
	}
	return fmt.Sprintf("the integration %q is of %s, which never reports a delivery: choose accepted", i.Name, i.Provider)
}

// taken words a conflict of the store; other errors stay as they are.
func taken(err error, field, format string, args ...any) error {
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	e := campaign.Errorf(campaign.CodeConflict, format, args...)
	if field != "" {
		e.Fields = []campaign.FieldError{{Field: field, Message: e.Message}}
	}
	return e
}
