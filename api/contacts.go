package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"carillon/campaign"
	"carillon/store"
)

func (s *Server) contacts(g huma.API) {
	const all, one = "/campaigns/{id}/contacts", "/campaigns/{id}/contacts/{contact_id}"
	op(s, g, http.MethodGet, all, "List contacts", Viewer, s.listContacts, fieldFilters,
		describe("By id; with updated_since by the time of the last change; with q by what was found. Parameters are filtered by field.<name>=<value>."))
	op(s, g, http.MethodGet, all+"/export", "Export contacts", Viewer, s.exportContacts, fieldFilters, streams("text/csv", "application/x-ndjson"))
	op(s, g, http.MethodGet, "/contacts", "Find a person's contacts", Viewer, s.personContacts,
		describe("The contacts of one person in every campaign."))
	op(s, g, http.MethodPost, all, "Create or update contact", Operator, s.upsertContact, upserts,
		describe("An outside event about a person: creates the contact, or merges into the one with the object_id and external_id, runs data_load, and answers with the contact (201 or 200). "+
			"202 with the id of an import where that takes longer than 30 s."))
	op(s, g, http.MethodGet, one, "Read contact", Viewer,
		func(ctx context.Context, in *contactPath) (*body[ContactView], error) {
			c, err := s.Store.Contact(ctx, in.ID, in.ContactID)
			return &body[ContactView]{Body: s.showContact(c)}, err
		})
	op(s, g, http.MethodPatch, one, "Change contact", Operator, s.patchContact,
		describe("Sets fields without running a strategy, of a contact that has not started or has ended. One that runs is changed by POST /v1/campaigns/{id}/contacts."))
	op(s, g, http.MethodDelete, one, "Delete contact", Manager, s.deleteContact, answers(http.StatusNoContent),
		describe("A contact that runs must be stopped first."))
	s.contactHistory(g)
}

type contactPath struct {
	ID        string `path:"id"`
	ContactID string `path:"contact_id"`
}

// ContactQuery is how contacts are filtered, in lists, exports and bulk actions.
type ContactQuery struct {
	Stage        string                 `query:"stage" json:"stage,omitempty"`
	Status       campaign.ContactStatus `query:"status" json:"status,omitempty"`
	Held         string                 `query:"held" json:"held,omitempty" doc:"true, false, or a cause such as agent_full."`
	Idle         string                 `query:"idle" json:"idle,omitempty" enum:"true,false" doc:"Stuck: active, with nothing planned and nothing open."`
	Attention    string                 `query:"attention" json:"attention,omitempty" doc:"true, or a reason such as strategy_error."`
	Outcome      string                 `query:"outcome" json:"outcome,omitempty" enum:"success,failure"`
	Q            string                 `query:"q" json:"q,omitempty" maxLength:"200" doc:"What name, e-mail, phone or an id begins with."`
	ObjectID     string                 `query:"object_id" json:"object_id,omitempty"`
	ExternalID   string                 `query:"external_id" json:"external_id,omitempty"`
	UpdatedSince time.Time              `query:"updated_since" json:"updated_since,omitzero"`
	OverdueBy    string                 `query:"overdue_by" json:"overdue_by,omitempty" example:"15m" doc:"Stuck: its next action should have happened so long ago. Those that wait the longest come first."`
	HeldFor      string                 `query:"held_for" json:"held_for,omitempty" example:"1d" doc:"Stuck: something outside has held it for so long. Those that wait the longest come first."`
	Field        map[string]string      `query:"field,deepObject" json:"field,omitempty" doc:"Values of parameters: field.<name>=<value>."`
}

func (q *ContactQuery) filter(campaignID string, now time.Time) (store.ContactFilter, error) {
	f := store.ContactFilter{
		CampaignID: campaignID, Stage: q.Stage, Status: q.Status, Outcome: campaign.Outcome(q.Outcome), Query: strings.TrimSpace(q.Q),
		ObjectID: q.ObjectID, ExternalID: q.ExternalID, UpdatedSince: q.UpdatedSince.UTC(), Fields: q.Field,
	}
	yes := q.Held == "true"
	switch q.Held {
	case "":
	case "true", "false":
		f.Held = &yes
	default:
		f.HeldCause = q.Held
	}
	if q.Idle != "" {
		idle := q.Idle == "true"
		f.Idle = &idle
	}
	if q.Attention == "true" {
		f.Status = campaign.ContactNeedsAttention
	} else {
		f.AttentionReason = q.Attention
	}
	var err error
	if f.OverdueSince, err = since("overdue_by", q.OverdueBy, now); err != nil {
		return f, err
	}
	f.HeldSince, err = since("held_for", q.HeldFor, now)
	return f, err
}

// fieldFilters lets field.<name>=x through: the reference knows it as
// field[<name>]=x, which is how a free set of parameters is described.
func fieldFilters(o *huma.Operation) {
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r := humaecho.UnwrapV4(ctx).Request()
		if q := r.URL.Query(); strings.Contains(r.URL.RawQuery, "field.") {
			named := url.Values{}
			for k, v := range q {
				if name, ok := strings.CutPrefix(k, "field."); ok && name != "" {
					k = "field[" + name + "]"
				}
				named[k] = v
			}
			r.URL.RawQuery = named.Encode()
		}
		next(ctx)
	})
}

type contactsInput struct {
	ID string `path:"id"`
	ContactQuery
	Page
}

func (s *Server) listContacts(ctx context.Context, in *contactsInput) (*listed[ContactView], error) {
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	f, err := in.filter(in.ID, s.now())
	if err != nil {
		return nil, err
	}
	l, err := s.Store.Contacts(ctx, f, in.store())
	return listAs(l, s.showContact), err
}

type personInput struct {
	ExternalID string `query:"external_id" required:"true" minLength:"1" maxLength:"200"`
	Page
}

func (s *Server) personContacts(ctx context.Context, in *personInput) (*listed[ContactView], error) {
	l, err := s.Store.Contacts(ctx, store.ContactFilter{ExternalID: in.ExternalID}, in.store())
	return listAs(l, s.showContact), err
}

// owned explains the conflict of a write to a contact whose workflow owns it.
func owned(err error, instead string) error {
	if errors.Is(err, store.ErrConflict) {
		return campaign.Errorf(campaign.CodeConflict, "the contact has started and its workflow owns it: %s", instead)
	}
	return err
}

type contactPatch struct {
	ID        string `path:"id"`
	ContactID string `path:"contact_id"`
	Body      ContactChange
}

func (s *Server) patchContact(ctx context.Context, in *contactPatch) (*body[ContactView], error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	after, err := s.Store.UpdateContact(ctx, in.ID, in.ContactID, func(contact *campaign.Contact) ([]campaign.Decision, error) {
		row, err := in.Body.row(&c, contact.ObjectID, contact.ExternalID, true)
		if err != nil {
			return nil, err
		}
		*contact = row.Row.Merge(*contact)
		return []campaign.Decision{{
			At: now, Kind: campaign.DecisionOperator, Reason: "patch", Summary: "Changed by " + actor(ctx) + ": " + strings.Join(in.Body.names(), ", "),
			Data: map[string]any{"action": "patch", "actor": actor(ctx), "fields": in.Body.names()},
		}}, contact.CheckSize()
	})
	if err != nil {
		return nil, owned(err, "change it by POST /v1/campaigns/{id}/contacts")
	}
	s.auditf(ctx, "update", "contacts/"+in.ContactID, "%s", strings.Join(in.Body.names(), ", "))
	return &body[ContactView]{Body: s.showContact(after)}, nil
}

func (s *Server) deleteContact(ctx context.Context, in *contactPath) (*struct{}, error) {
	if err := s.Store.DeleteContact(ctx, in.ID, in.ContactID); err != nil {
		return nil, owned(err, "stop it first")
	}
	s.auditf(ctx, "delete", "contacts/"+in.ContactID, "campaign %s", in.ID)
	return nil, nil
}
