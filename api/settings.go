package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// Settings are the limits and defaults of the whole workspace.
type Settings struct {
	MaxPerDay    int                       `json:"max_per_day" required:"false" minimum:"0" doc:"Communications per person and day across all campaigns; 0 is no limit."`
	MaxPerWeek   int                       `json:"max_per_week" required:"false" minimum:"0" doc:"The same per seven days."`
	MinGap       campaign.Duration         `json:"min_gap" required:"false" doc:"The least time between two communications with one person."`
	Redirect     map[string]string         `json:"redirect" required:"false" doc:"By channel: the address everything goes to in mode redirect."`
	DefaultHours map[string]campaign.Hours `json:"default_hours" required:"false" doc:"Allowed hours of new campaigns, as in rules.hours."`
	Retention    campaign.Duration         `json:"retention" required:"false" doc:"How long decisions of ended contacts are kept; empty is for ever."`
}

func (s *Server) settings(g huma.API) {
	op(s, g, http.MethodGet, "/settings", "Read settings", Viewer,
		func(ctx context.Context, _ *struct{}) (*body[Settings], error) {
			v, err := s.workspace(ctx)
			return &body[Settings]{Body: v.show()}, err
		})
	op(s, g, http.MethodPut, "/settings", "Replace settings", Admin, s.putSettings)
}

// workspace reads the settings; the zero value where none were ever put.
func (s *Server) workspace(ctx context.Context) (v Settings, err error) {
	doc, err := s.Store.Settings(ctx)
	if errors.Is(err, store.ErrNotFound) || err == nil && len(doc) == 0 {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(doc, &v); err != nil {
		return v, fmt.Errorf("read settings: %w", err)
	}
	return v, nil
}

func (s *Server) putSettings(ctx context.Context, in *struct{ Body Settings }) (*body[Settings], error) {
	if err := in.Body.validate(); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(in.Body)
	if err != nil {
		return nil, err
	}
	if err := s.Store.PutSettings(ctx, doc); err != nil {
		return nil, err
	}
	s.auditf(ctx, "update", "settings", "")
	return &body[Settings]{Body: in.Body.show()}, nil
}

// show shows empty dictionaries as dictionaries.
func (v Settings) show() Settings {
	v.Redirect = dict(v.Redirect)
	if v.DefaultHours == nil {
		v.DefaultHours = map[string]campaign.Hours{}
	}
	return v
}

func (v *Settings) validate() error {
	for ch, to := range v.Redirect {
		if !campaign.Channel(ch).Valid() {
			return campaign.Invalid("redirect."+ch, "no such channel")
		}
		if err := channels.CheckAddress(campaign.Channel(ch), to); err != nil {
			return campaign.Invalid("redirect."+ch, "%v", err)
		}
	}
	if v.MaxPerDay > 0 && v.MaxPerWeek > 0 && v.MaxPerWeek < v.MaxPerDay {
		return campaign.Invalid("max_per_week", "not below max_per_day")
	}
	rules := campaign.Campaign{Name: "settings", Rules: campaign.Rules{Hours: v.DefaultHours}}
	err := rules.Validate()
	if e, ok := errors.AsType[*campaign.Error](err); ok {
		e.Message = "the settings are not valid"
		for i := range e.Fields {
			e.Fields[i].Field = strings.Replace(e.Fields[i].Field, "rules.hours", "default_hours", 1)
		}
	}
	return err
}
