package activities

import (
	"context"
	"errors"
	"strings"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// thread makes a reply by e-mail part of the conversation: it names the opening
// it belongs to and has its subject. Other channels need neither.
func (a *Activities) thread(ctx context.Context, m *channels.Outbound, s *campaign.Session) error {
	if s.Channel != campaign.Email {
		return nil
	}
	opening := openingOf(s)
	if opening == nil { // a late session: the opening is in the first one
		first, err := a.Store.Session(ctx, campaign.SessionID(s.CommunicationID))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		opening = openingOf(&first)
	}
	m.Subject = "Re: your message"
	if opening == nil {
		return nil
	}
	m.Opening = opening.ID
	if subject, _, ok := strings.Cut(opening.Content, "\n\n"); ok && subject != "" { // as passage.opened writes it
		m.Subject = subject
		if !strings.HasPrefix(strings.ToLower(subject), "re:") {
			m.Subject = "Re: " + subject
		}
	}
	return nil
}

// openingOf returns the message that opened a session, nil if it is not there.
// Its id is its communication's, with a number if an operator had it repeated.
func openingOf(s *campaign.Session) *campaign.Message {
	for i := range s.Messages {
		id, _, _ := strings.Cut(s.Messages[i].ID, "#")
		if id == s.CommunicationID && s.Messages[i].Author == campaign.AuthorAgent {
			return &s.Messages[i]
		}
	}
	return nil
}
