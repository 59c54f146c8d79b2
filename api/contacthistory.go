package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.temporal.io/api/serviceerror"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// contactHistory is what contacts did and will do.
func (s *Server) contactHistory(g huma.API) {
	op(s, g, http.MethodGet, "/campaigns/{id}/contacts/{contact_id}/timeline", "Read timeline", Viewer, s.timeline,
		describe("Everything decided about the contact, with the reasons; the oldest first."))
	op(s, g, http.MethodGet, "/campaigns/{id}/contacts/{contact_id}/plan", "Read plan", Viewer, s.plan,
		describe("What happens next, when at the earliest, and what stands in its way."))
	op(s, g, http.MethodGet, "/campaigns/{id}/communications", "List communications", Viewer, s.communications)
	op(s, g, http.MethodGet, "/campaigns/{id}/decisions", "List decisions", Viewer, s.decisions,
		describe("With count=true only how many there are of each kind and reason."))
}

// timelineInput pages through a timeline. It is not the other lists' page: a
// story that is cut off after fifty entries would mislead.
type timelineInput struct {
	ID        string `path:"id"`
	ContactID string `path:"contact_id"`
	Limit     int    `query:"limit" minimum:"1" maximum:"500" default:"500"`
	Cursor    string `query:"cursor" doc:"next_cursor of the page before."`
}

func (s *Server) timeline(ctx context.Context, in *timelineInput) (*listed[DecisionView], error) {
	if _, err := s.Store.Contact(ctx, in.ID, in.ContactID); err != nil {
		return nil, err
	}
	all, err := s.Store.Decisions(ctx, in.ContactID)
	if err != nil {
		return nil, err
	}
	from := 0
	if in.Cursor != "" {
		if from, err = strconv.Atoi(in.Cursor); err != nil || from < 0 {
			return nil, campaign.Invalid("cursor", "%q is not a next_cursor of this timeline", in.Cursor)
		}
	}
	from = min(from, len(all))
	to := min(from+in.Limit, len(all))
	views := make([]DecisionView, 0, to-from)
	for _, d := range all[from:to] {
		views = append(views, showDecision("", d))
	}
	out := whole(views)
	if to < len(all) {
		next := strconv.Itoa(to)
		out.Body.NextCursor = &next
	}
	return out, nil
}

// Plan is what a contact does next.
type Plan struct {
	NextAction string     `json:"next_action" example:"First letter at stage Letter" doc:"Empty if nothing happens by itself."`
	At         *time.Time `json:"at" doc:"When at the earliest."`
	Blockers   []string   `json:"blockers" doc:"What stands in the way."`
}

// planTime bounds the wait for a workflow's answer.
const planTime = 5 * time.Second

// plan asks the contact's workflow; where none answers, the store's contact
// says as much as it knows.
func (s *Server) plan(ctx context.Context, in *contactPath) (*body[Plan], error) {
	c, err := s.Store.Contact(ctx, in.ID, in.ContactID)
	if err != nil {
		return nil, err
	}
	gone := false
	if c.StartedAt != nil && !c.Status.Ended() && s.Temporal != nil {
		p, err := s.askPlan(ctx, &c)
		if err == nil {
			err = errors.Join(s.look(ctx, &c, &p), s.underWay(ctx, &c, &p))
			return &body[Plan]{Body: p}, err
		}
		_, notReady := errors.AsType[*serviceerror.WorkflowNotReady](err)
		if _, gone = errors.AsType[*serviceerror.NotFound](err); !notReady && !gone && !errors.Is(err, context.DeadlineExceeded) {
			s.Log.Warn("query plan", "contact_id", c.ID, "error", err)
		}
	}
	p := storedPlan(&c)
	if c.StartedAt != nil && !c.Status.Ended() && gone {
		p.Blockers = append(p.Blockers, "its workflow is gone: restart it")
	}
	err = errors.Join(s.look(ctx, &c, &p), s.underWay(ctx, &c, &p))
	return &body[Plan]{Body: p}, err
}

func (s *Server) askPlan(ctx context.Context, c *campaign.Contact) (Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, planTime)
	defer cancel()
	v, err := s.Temporal.QueryWorkflow(ctx, workflows.ContactWorkflowID(c.CampaignID, c.ID), "", workflows.QueryPlan)
	if err != nil {
		return Plan{}, err
	}
	var answer workflows.Plan
	if err := v.Get(&answer); err != nil {
		return Plan{}, err
	}
	p := Plan{NextAction: answer.NextAction, Blockers: append([]string{}, answer.Blockers...)}
	if at, err := time.Parse(time.RFC3339, answer.At); err == nil {
		p.At = &at
	}
	return p, nil
}

// storedPlan is as much as the store knows.
func storedPlan(c *campaign.Contact) Plan {
	st := campaign.NewState(*c)
	p := Plan{Blockers: append([]string{}, st.Blockers()...)}
	if at, why, ok := st.Wake(); ok {
		at = at.UTC()
		p.NextAction, p.At = why, &at
	}
	return p
}

type communicationsInput struct {
	ID      string                       `path:"id"`
	Status  campaign.CommunicationStatus `query:"status" enum:"PLANNED,STARTED,SENT,DELIVERED,READ,REPLIED,COMPLETED,NO_RESPONSE,FAILED,CANCELED,SKIPPED"`
	Stage   string                       `query:"stage"`
	Channel campaign.Channel             `query:"channel"`
	Page
}

func (s *Server) communications(ctx context.Context, in *communicationsInput) (*listed[store.CommunicationRow], error) {
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	l, err := s.Store.Communications(ctx, in.ID, in.Status, in.Stage, in.Channel, in.store())
	return listAs(l, func(r store.CommunicationRow) store.CommunicationRow {
		r.Communication = showCommunication(r.Communication)
		return r
	}), err
}

type decisionsInput struct {
	ID     string                `path:"id"`
	Kind   campaign.DecisionKind `query:"kind"`
	Reason string                `query:"reason"`
	Count  bool                  `query:"count"`
	Page
}

// Decisions is a page of decisions, or their counts.
type Decisions struct {
	List[DecisionView]
	Counts map[string]int `json:"counts,omitempty" doc:"By kind/reason, with count=true."`
}

func (s *Server) decisions(ctx context.Context, in *decisionsInput) (*body[Decisions], error) {
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	if in.Count {
		counts, err := s.Store.CountDecisions(ctx, in.ID, in.Kind)
		for key := range counts {
			if _, reason, _ := strings.Cut(key, "/"); in.Reason != "" && reason != in.Reason {
				delete(counts, key)
			}
		}
		return &body[Decisions]{Body: Decisions{List: List[DecisionView]{Items: []DecisionView{}}, Counts: counts}}, err
	}
	l, err := s.Store.CampaignDecisions(ctx, in.ID, in.Kind, in.Reason, in.store())
	page := listAs(l, func(r store.DecisionRow) DecisionView { return showDecision(r.ContactID, r.Decision) })
	return &body[Decisions]{Body: Decisions{List: page.Body}}, err
}

type exportInput struct {
	ID     string `path:"id"`
	Format string `query:"format" enum:"csv,ndjson" default:"csv"`
	ContactQuery
}

func (s *Server) exportContacts(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	camp, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	filter, err := in.filter(in.ID, s.now())
	if err != nil {
		return nil, err
	}
	if in.Format == "ndjson" {
		return s.download(ctx, "application/x-ndjson", in.ID+"-contacts.ndjson", func(w io.Writer) error {
			out := json.NewEncoder(w)
			return s.Store.EachContact(ctx, filter, func(c campaign.Contact) error { return out.Encode(s.showContact(c)) })
		}), nil
	}
	return s.download(ctx, "text/csv; charset=utf-8", in.ID+"-contacts.csv", func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write(contactColumns(&camp)); err != nil {
			return err
		}
		err := s.Store.EachContact(ctx, filter, func(c campaign.Contact) error { return out.Write(contactCells(&camp, s.showContact(c))) })
		out.Flush()
		if err != nil {
			return err
		}
		return out.Error()
	}), nil
}

// contactColumns begin like an import's file; every declared field has a column
// of its own.
func contactColumns(c *campaign.Campaign) []string {
	names := []string{"name", "email", "phone", "object_id", "external_id", "timezone", "language", "telegram_chat_id"}
	for _, f := range c.Fields {
		names = append(names, f.Name)
	}
	return append(names, "id", "status", "current_stage", "outcome", "attention", "next_action_at", "updated_at", "parameters", "results")
}

func contactCells(camp *campaign.Campaign, c ContactView) []string {
	cells := []string{c.Name, c.Email, c.Phone, c.ObjectID, c.ExternalID, c.Timezone, c.Language, c.TelegramChatID}
	for _, f := range camp.Fields {
		cells = append(cells, cellOf(c.Parameters[f.Name]))
	}
	attention, next := "", ""
	if c.Attention != nil {
		attention = c.Attention.Reason
	}
	if c.NextActionAt != nil {
		next = c.NextActionAt.Format(time.RFC3339)
	}
	return append(cells, c.ID, string(c.Status), c.CurrentStage, string(c.Outcome), attention, next, c.UpdatedAt.Format(time.RFC3339),
		jsonCell(c.Parameters), jsonCell(c.Results))
}

// cellOf writes a text without its quotes, and everything else as JSON.
func cellOf(raw json.RawMessage) string {
	var text string
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func jsonCell(d campaign.Dict) string {
	raw, err := json.Marshal(d)
	if err != nil {
		return ""
	}
	return string(raw)
}
