package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
)

func (s *Server) stuck(g huma.API) {
	op(s, g, http.MethodGet, "/campaigns/{id}/stuck", "Find stuck contacts", Viewer, s.readStuck,
		describe("How many contacts do not go on by themselves, by what keeps them. The contacts themselves are listed by the filters overdue_by, held_for, attention and idle; "+
			"why, …/contacts/{contact_id}/plan says. Up to 10,000 are counted of each sort."))
}

type stuckInput struct {
	ID        string `path:"id"`
	OverdueBy string `query:"overdue_by" default:"15m" doc:"How late a next action is overdue."`
	HeldFor   string `query:"held_for" default:"1d" doc:"How long a hold is too long."`
}

// Stuck counts a campaign's contacts that do not go on by themselves.
type Stuck struct {
	Overdue   int            `json:"overdue" doc:"Their next action should have happened long ago: no worker runs, it cannot keep up, or the workflow is lost."`
	Idle      int            `json:"idle" doc:"Active, with nothing planned and nothing open."`
	Attention map[string]int `json:"attention" doc:"By reason; retry, also in bulk, goes on with those of no_workflow."`
	Held      map[string]int `json:"held" doc:"Held for long, by cause."`
}

func (s *Server) readStuck(ctx context.Context, in *stuckInput) (*body[Stuck], error) {
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	f, err := (&ContactQuery{OverdueBy: in.OverdueBy, HeldFor: in.HeldFor}).filter(in.ID, s.now())
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Stuck(ctx, in.ID, f.OverdueSince, f.HeldSince)
	return &body[Stuck]{Body: Stuck{Overdue: found.Overdue, Idle: found.Idle, Attention: found.Attention, Held: found.Held}}, err
}

// since is how long ago a duration's text is, as a filter asks.
func since(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	span, err := campaign.ParseDuration(text)
	if err != nil || span < 0 {
		return time.Time{}, campaign.Invalid(name, "%q is not a duration such as 90s, 15m or 1d", text)
	}
	return now.Add(-time.Duration(span)), nil
}
