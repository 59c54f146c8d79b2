package activities

import (
	"context"
	"errors"
	"strings"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// thread makes a reply by e-mail part of the conversation: it names what was said
// before, has the opening's subject, and an address for answers that proves the
// session. Other channels need none of it.
func (a *Activities) thread(ctx context.Context, m *channels.Outbound, s *campaign.Session) error {
	if s.Channel != campaign.Email {
		return nil
	}
	var err error
	if m.ReplyToken, err = a.replyToken(ctx, s.Channel, s.ID); err != nil {
		return err
	}
	m.Thread = said(s)
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

// said is what a session's messages are to a mail program: ours as far as they
// left, the contact's as far as their ids are known.
func said(s *campaign.Session) []channels.Said {
	var list []channels.Said
	for i := range s.Messages {
		m := &s.Messages[i]
		switch {
		case m.Author == campaign.AuthorContact && m.ProviderMessageID != "":
			list = append(list, channels.Said{ID: m.ProviderMessageID})
		case m.Author != campaign.AuthorContact && m.Delivery != "pending" && m.Delivery != "failed":
			list = append(list, channels.Said{Key: m.ID})
		}
	}
	return list
}
