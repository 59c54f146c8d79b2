package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

// outbox is the built-in development provider, seen from the other side.
func (s *Server) outbox(g huma.API) {
	op(s, g, http.MethodGet, "/outbox", "List outbox", Viewer,
		func(ctx context.Context, in *outboxInput) (*listed[store.OutboxMessage], error) {
			l, err := s.Store.Outbox(ctx, in.CampaignID, in.ContactID, in.store())
			return listOf(l), err
		}, describe("What left through the outbox, in place of a provider."))
	op(s, g, http.MethodGet, "/outbox/{id}", "Read outbox message", Viewer,
		func(ctx context.Context, in *idInput) (*body[store.OutboxMessage], error) {
			m, err := s.Store.OutboxMessage(ctx, in.ID)
			return &body[store.OutboxMessage]{Body: m}, err
		})
	op(s, g, http.MethodPost, "/outbox/{id}/reply", "Reply as the contact", Operator, s.replyAsContact, answers(http.StatusAccepted),
		describe("The contact answers this message."))
	op(s, g, http.MethodPost, "/outbox/{id}/status", "Report a message's status", Operator, s.reportStatus, answers(http.StatusAccepted),
		describe("As a provider would: the message was delivered, read, or could not be delivered."))
}

type outboxInput struct {
	CampaignID string `query:"campaign_id"`
	ContactID  string `query:"contact_id"`
	Page
}

// sessionOf is the session an outbox message was said in, or what stands for it
// where a notification opened none.
func sessionOf(m *store.OutboxMessage) *campaign.Session {
	return &campaign.Session{ID: m.SessionID, CampaignID: m.CampaignID, ContactID: m.ContactID, CommunicationID: m.CommunicationID}
}

// delivered reads a message that a contact can react to.
func (s *Server) delivered(ctx context.Context, id string) (store.OutboxMessage, error) {
	m, err := s.Store.OutboxMessage(ctx, id)
	if err == nil && m.CommunicationID == "" {
		err = campaign.Errorf(campaign.CodeConflict, "the message was sent on trial: no contact has got it")
	}
	return m, err
}

func (s *Server) replyAsContact(ctx context.Context, in *wordsInput) (*body[Accepted], error) {
	if err := in.Body.check(); err != nil {
		return nil, err
	}
	m, err := s.delivered(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	what := said{event: campaign.Event{Kind: campaign.EventMessage, Author: campaign.AuthorContact, Content: in.Body.Content}}
	if m.SessionID != "" {
		what.message = &campaign.Message{}
	}
	id := eventID("msg_", m.ID, in.Key)
	_, err = s.tell(ctx, sessionOf(&m), id, what)
	return accepted(id), err
}

type statusInput struct {
	ID   string `path:"id"`
	Body struct {
		Status string `json:"status" enum:"delivered,read,bounced,failed,opt_out"`
		Reason string `json:"reason,omitempty" maxLength:"200" doc:"In the words of a provider."`
	}
}

// reportStatus takes the same way as a provider's webhook.
func (s *Server) reportStatus(ctx context.Context, in *statusInput) (*body[Accepted], error) {
	m, err := s.delivered(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.Store.SetOutboxStatus(ctx, m.ID, in.Body.Status); err != nil {
		return nil, err
	}
	e := store.ProviderEvent{
		Provider: "outbox", Key: newID("dlv_"), Kind: store.ReportStatus, Status: in.Body.Status, Reason: in.Body.Reason, Channel: m.Channel,
		CorrelationKey: m.CorrelationKey, Address: m.To,
	}
	switch e.Status {
	case campaign.ReportBounced:
		e.Suppress = "bounced"
	case campaign.ReportOptOut:
		e.Suppress = "opt_out"
	}
	told, err := s.Store.CommitReports(ctx, []store.ProviderEvent{e}, s.now())
	if err != nil {
		return nil, err
	}
	for i := range told {
		s.deliver(ctx, told[i])
	}
	return accepted(e.Key), nil
}
