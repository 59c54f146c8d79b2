package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

type sessionExportInput struct {
	Format string `query:"format" enum:"csv,ndjson" default:"csv"`
	SessionQuery
}

func (s *Server) exportSessions(ctx context.Context, in *sessionExportInput) (*huma.StreamResponse, error) {
	if in.Format == "ndjson" {
		return s.download(ctx, "application/x-ndjson", "sessions.ndjson", func(w io.Writer) error {
			out := json.NewEncoder(w)
			return s.eachSession(ctx, in.filter(), func(v campaign.Session) error {
				whole, err := s.Store.Session(ctx, v.ID)
				if errors.Is(err, store.ErrNotFound) {
					return nil
				} else if err != nil {
					return err
				}
				return out.Encode(s.showSession(whole))
			})
		}), nil
	}
	return s.download(ctx, "text/csv; charset=utf-8", "sessions.csv", func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write([]string{"id", "campaign_id", "contact_id", "communication_id", "stage_name", "agent_id", "channel", "mode", "status", "outcome", "reason", "late", "created_at", "ended_at", "results"}); err != nil {
			return err
		}
		err := s.eachSession(ctx, in.filter(), func(v campaign.Session) error {
			v = s.showSession(v)
			ended := ""
			if v.EndedAt != nil {
				ended = v.EndedAt.Format(time.RFC3339)
			}
			return out.Write([]string{
				v.ID, v.CampaignID, v.ContactID, v.CommunicationID, v.StageName, v.AgentID, string(v.Channel), string(v.Mode), string(v.Status),
				string(v.Status.RollUp()), v.Reason, strconv.FormatBool(v.Late), v.CreatedAt.Format(time.RFC3339), ended, jsonCell(v.Results),
			})
		})
		out.Flush()
		if err != nil {
			return err
		}
		return out.Error()
	}), nil
}

// eachSession visits every session of a filter.
func (s *Server) eachSession(ctx context.Context, f store.SessionFilter, visit func(campaign.Session) error) error {
	for page := (store.Page{Limit: 500}); ; {
		l, err := s.Store.Sessions(ctx, f, page)
		if err != nil {
			return err
		}
		for _, v := range l.Items {
			if err := visit(v); err != nil {
				return err
			}
		}
		if page.Cursor = l.Next; page.Cursor == "" {
			return nil
		}
	}
}
