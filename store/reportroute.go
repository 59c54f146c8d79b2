package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carillon/campaign"
)

// withheld puts what the provider tells of and does not hand out with the
// unmatched, where a person finds why. What came and cannot be read is only kept.
func (m *reporting) withheld(ctx context.Context, e *ProviderEvent) error {
	if m.again || !e.Withheld() {
		return nil
	}
	return m.putUnmatched(ctx, e, cutTo(e.Reason, 1000)) // it says what to do
}

func (m *reporting) putUnmatched(ctx context.Context, e *ProviderEvent, why string) error {
	_, err := m.c.exec(ctx, `insert into inbox (id, contact_id, session_id, kind, payload, content, at, unmatched, next_try_at, tries)
		values ($1, $6, '', $2, '{}', $3, $4, $5, $4, 0) on conflict do nothing`,
		reportEventID(e.IntegrationID, e.Key), string(campaign.EventMessage), e.Content, micros(m.now), why, e.ContactID)
	return err
}

// message takes what a contact wrote: to the session a token of ours names, the
// one of the message it answers, else the newest one of the address, open ones
// first. What fits nobody is put with the unmatched.
func (m *reporting) message(ctx context.Context, e *ProviderEvent, v *reportedSend) error {
	if m.again {
		return nil
	}
	session, err := m.route(ctx, e, v)
	if err != nil {
		return err
	}
	if session != nil {
		if err := m.calm(ctx, e, session); err != nil {
			return err
		}
		if err := m.note(ctx, e, session); err != nil {
			return err
		}
	}
	if e.Auto {
		return nil
	}
	event := campaign.Event{Kind: campaign.EventMessage, Author: campaign.AuthorContact, Content: e.Content}
	switch {
	case session != nil:
		e.ContactID, event.SessionID, event.CommunicationID = session.ContactID, session.ID, session.CommunicationID
	case v != nil:
		event.CommunicationID = v.CommunicationID
	default:
		why, err := m.unmatched(ctx, e)
		if err != nil {
			return err
		}
		if campaign.IsStop(e.Content) { // whoever it is
			if err := m.optOut(ctx, e.ContactID, "", e.Address, e.Channel); err != nil {
				return err
			}
		}
		return m.putUnmatched(ctx, e, cut(why))
	}
	if trial, err := m.trial(ctx, e, session); err != nil {
		return err
	} else if trial { // the conversation ends as with the person, who is suppressed by nobody's word but their own
		event.OptOut = campaign.IsStop(e.Content)
		return m.hear(ctx, e, event, session)
	}
	if campaign.IsStop(e.Content) {
		event.OptOut = true
		ch := e.Channel
		if session != nil {
			ch = session.Channel
		}
		if err := m.optOut(ctx, e.ContactID, event.SessionID, e.Address, ch); err != nil {
			return err
		}
	}
	if e.Identity != nil && (session == nil || !elsewhere(e.Address, session.Address)) {
		if err := m.keepIdentity(ctx, e, e.ContactID, false); err != nil {
			return err
		}
	}
	return m.hear(ctx, e, event, session)
}

// hear tells a contact what was written, and puts it into its session.
func (m *reporting) hear(ctx context.Context, e *ProviderEvent, event campaign.Event, session *campaign.Session) error {
	event.MessageID = reportEventID(e.IntegrationID, e.Key)
	if session != nil {
		if err := m.c.addMessage(ctx, campaign.Message{
			ID: event.MessageID, SessionID: session.ID, Author: campaign.AuthorContact, Content: e.Content, At: m.moment(), ProviderMessageID: clean(e.MessageID),
		}); err != nil {
			return err
		}
	} else {
		event.MessageID = ""
	}
	return m.tell(e, event)
}

// calmly is how many letters of a contact a session takes within an hour. Who
// writes more is a machine that does not say so, and answering it never ends.
const calmly = 20

// calm takes a letter for automatic if too many came in its session lately. "Stop"
// counts whoever writes it.
func (m *reporting) calm(ctx context.Context, e *ProviderEvent, session *campaign.Session) error {
	if e.Auto || session.Channel != campaign.Email || campaign.IsStop(e.Content) {
		return nil
	}
	var n int
	err := m.c.one(ctx, `select count(*) from messages where session_id = $1 and at > $2 and author = $3`,
		[]any{session.ID, micros(m.now.Add(-time.Hour)), string(campaign.AuthorContact)}, &n)
	if n >= calmly {
		e.Auto, e.Reason = true, fmt.Sprintf("automatic: more than %d letters in an hour", calmly)
	}
	return err
}

// note shows people what a session's agent does not get: the answer of a machine,
// and which files came with a message.
func (m *reporting) note(ctx context.Context, e *ProviderEvent, session *campaign.Session) error {
	var text string
	if e.Auto {
		e.ContactID = session.ContactID
		text = strings.TrimSpace(cut(e.Reason) + "\n\n" + e.Content)
	}
	for _, f := range e.Files {
		text += "\nfile: " + f.Name
		if f.Type != "" {
			text += ", " + f.Type
		}
		if f.Size > 0 {
			text += fmt.Sprintf(", %d bytes", f.Size)
		}
		if f.URL != "" {
			text += ", " + f.URL
		}
	}
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	_, err := m.c.exec(ctx, `insert into session_notes (id, session_id, author, content, at) values ($1, $2, $3, $4, $5) on conflict do nothing`,
		reportEventID(e.IntegrationID, e.Key), session.ID, "carillon", clean(text), micros(m.moment()))
	return err
}

// begun leaves sessions out whose opening surely has not left yet.
const begun = `not exists (select 1 from sends o where o.contact_id = sessions.contact_id and o.session_id = sessions.id and o.state = 'retry'
		and (o.id = o.communication_id or o.id like o.communication_id || '#%'))`

// newestTalk ends a query for the session that an answer without a reference is
// for. One that has not begun is nobody's to answer in.
const newestTalk = ` and ` + begun + `
	order by case status when 'open' then 0 else 1 end, created_at desc, id desc limit 1`

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
		return m.routeKnown(ctx, e)
	}
	if s, err := m.routeTester(ctx, e); err != nil || s != nil {
		return s, err
	}
	found, err := collect(ctx, m.c, `select `+sessionColumns+` from sessions where integration_id = $1 and lower(address) = $2 and address <> ''
		`+newestTalk, []any{e.IntegrationID, strings.ToLower(e.Address)}, scanSession)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return &found[0], nil
	}
	return m.routeKnown(ctx, e)
}

// follow keeps under which number, and which id, WhatsApp knows the contact of a
// session, before they can answer. Of some countries (Mexico, Argentina, Brazil) the
// number is not the one that was written to, and it is the one that answers come from.
func (m *reporting) follow(ctx context.Context, e *ProviderEvent, v *reportedSend) error {
	ch := campaign.Channel(v.Channel)
	moved := elsewhere(e.Address, v.Address)
	named := e.Identity != nil && e.Status == campaign.ReportSent // once for a message
	if v.SessionID == "" || !slices.Contains(campaign.WhatsAppMeta.Family(), ch) || !moved && !named {
		return nil
	}
	s, err := m.c.session(ctx, v.SessionID, m.c.s.dialect.locked)
	if errors.Is(err, ErrNotFound) || err == nil && address(s.Address) != address(v.Address) { // redirected: it is about somebody else
		return nil
	} else if err != nil {
		return err
	}
	if named {
		if err := m.keepIdentity(ctx, e, v.ContactID, false); err != nil {
			return err
		}
	}
	if !moved {
		return nil
	}
	s.Address = e.Address
	return m.c.putSession(ctx, s)
}

// elsewhere reports that a number is another than the one that is known. Who
// hides theirs, and what is no number, is not.
func elsewhere(number, known string) bool {
	return strings.HasPrefix(number, "+") && address(number) != address(known)
}
