package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
)

// PreflightProblem is one thing to mend, or to know, before a start.
type PreflightProblem struct {
	Severity string `json:"severity" enum:"error,warning"`
	Code     string `json:"code" example:"agent_missing"`
	Message  string `json:"message" example:"there is no agent \"anna\""`
	Where    string `json:"where" example:"stages[First letter].delivery.agent"`
}

// Skip counts contacts that will not be reached, by reason.
type Skip struct {
	Reason string `json:"reason" example:"no_address"`
	Count  int    `json:"count" example:"3"`
}

// Preflight is what a start would meet; OK if no problem is an error.
type Preflight struct {
	OK             bool               `json:"ok"`
	Problems       []PreflightProblem `json:"problems"`
	Contacts       int                `json:"contacts" example:"500"`
	WillSkip       []Skip             `json:"will_skip"`
	DueAtOnce      int                `json:"due_at_once" example:"500" doc:"Contacts with a plan and no workflow: at most so many are due at the start."`
	LaunchEstimate string             `json:"launch_estimate" example:"5s"`
}

// refusal is the preflight as the reason not to start.
func (p *Preflight) refusal() error {
	out := problem(http.StatusConflict, string(campaign.CodeConflict), "the campaign cannot start as it is; see errors")
	for _, e := range p.Problems {
		if e.Severity == SeverityError {
			out.Errors = append(out.Errors, FieldProblem{Field: e.Where, Message: e.Message, Code: e.Code})
		}
	}
	return out
}

func (s *Server) preflight(g huma.API) {
	op(s, g, http.MethodGet, "/campaigns/{id}/preflight", "Check a campaign before its start", Viewer, s.readPreflight)
}

func (s *Server) readPreflight(ctx context.Context, in *struct {
	ID string `path:"id"`
},
) (*body[Preflight], error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	report, err := s.inspect(ctx, c)
	if err != nil {
		return nil, err
	}
	return &body[Preflight]{*report}, nil
}
