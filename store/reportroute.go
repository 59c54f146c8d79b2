package store

import (
	"context"
	"errors"

	"carillon/campaign"
)

// message takes what a contact wrote: to the session a token of ours names, the
// one of the message it answers, else the newest one of the address, open ones
// first. What fits nobody is put with the unmatched.
func (m *reporting) message(ctx context.Context, e *ProviderEvent, v *reportedSend) error {
	if e.Auto || m.again {
		return nil
	}
	session, err := m.route(ctx, e, v)
	if err != nil {
		return err
	}
	event := campaign.Event{Kind: campaign.EventMessage, Author: campaign.AuthorContact, Content: e.Content}
	switch {
	case session != nil:
		e.ContactID, event.SessionID, event.CommunicationID = session.ContactID, session.ID, session.CommunicationID
	case v != nil:
		event.CommunicationID = v.CommunicationID
	default:
		id := reportEventID(e.IntegrationID, e.Key)
		_, err := m.c.exec(ctx, `insert into inbox (id, contact_id, session_id, kind, payload, content, at, unmatched, next_try_at, tries)
			values ($1, '', '', $2, '{}', $3, $4, $5, $4, 0) on conflict do nothing`,
			id, string(campaign.EventMessage), e.Content, micros(m.now), cut("nobody is known at "+e.Address+" on "+e.IntegrationID))
		return err
	}
	if campaign.IsStop(e.Content) {
		event.OptOut = true
		ch := e.Channel
		if session != nil {
			ch = session.Channel
		}
		if err := m.optOut(ctx, e.ContactID, e.Address, ch); err != nil {
			return err
		}
	}
	event.MessageID = reportEventID(e.IntegrationID, e.Key)
	if session != nil {
		if err := m.c.addMessage(ctx, campaign.Message{ID: event.MessageID, SessionID: session.ID, Author: campaign.AuthorContact, Content: e.Content, At: m.moment()}); err != nil {
			return err
		}
	} else {
		event.MessageID = ""
	}
	return m.tell(e, event)
}

// route finds the session of a message, nil if there is none.
func (m *reporting) route(ctx context.Context, e *ProviderEvent, v *reportedSend) (*campaign.Session, error) {
	id := e.SessionID
	if id == "" && v != nil {
		if v.SessionID == "" {
			return nil, nil // an answer to a notification
		}
		id = v.SessionID
	}
	if id != "" {
		s, err := m.c.session(ctx, id, "")
		if err == nil {
			return &s, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	if e.Address == "" {
		return nil, nil
	}
	// A session whose opening surely has not left yet is nobody's to answer in.
	found, err := collect(ctx, m.c, `select `+sessionColumns+` from sessions where integration_id = $1 and address = $2 and address <> ''
			and not exists (select 1 from sends o where o.contact_id = sessions.contact_id and o.session_id = sessions.id and o.state = 'retry'
				and (o.id = o.communication_id or o.id like o.communication_id || '#%'))
		order by case status when 'open' then 0 else 1 end, created_at desc, id desc limit 1`, []any{e.IntegrationID, e.Address}, scanSession)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}
