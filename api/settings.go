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

func (s *Server) settings(g huma.API) {
	op(s, g, http.MethodGet, "/settings", "Read settings", Viewer,
		func(ctx context.Context, _ *struct{}) (*body[campaign.Settings], error) {
			v, err := s.workspace(ctx)
			return &body[campaign.Settings]{Body: showSettings(v)}, err
		})
	op(s, g, http.MethodPut, "/settings", "Replace settings", Admin, s.putSettings)
}

// workspace reads the settings; the zero value where none were ever put.
func (s *Server) workspace(ctx context.Context) (v campaign.Settings, err error) {
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

func (s *Server) putSettings(ctx context.Context, in *struct{ Body campaign.Settings }) (*body[campaign.Settings], error) {
	if err := validSettings(&in.Body); err != nil {
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
	return &body[campaign.Settings]{Body: showSettings(in.Body)}, nil
}

// showSettings shows empty dictionaries as dictionaries.
func showSettings(v campaign.Settings) campaign.Settings {
	v.Redirect = dict(v.Redirect)
	if v.DefaultHours == nil {
		v.DefaultHours = map[string]campaign.Hours{}
	}
	return v
}

func validSettings(v *campaign.Settings) error {
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
