package smtp

import (
	"io"
	netmail "net/mail"

	"github.com/wneessen/go-mail"

	"carillon/channels"
)

// maxBody bounds the text of a message in bytes. Servers differ; most take 20
// to 35 MB in all, and an HTML message is sent as text too.
const maxBody = 10 << 20

// compose makes the message and returns it with its Message-ID.
func (s *sender) compose(m channels.Outbound) (*mail.Msg, string, error) {
	if len(m.Body) > maxBody {
		return nil, "", channels.Fail(channels.Invalid, "too_long", "the message has %d bytes, the limit is %d", len(m.Body), maxBody)
	}
	e := channels.NewEmail(m, s.from, s.fromName, s.replyDomain)
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&netmail.Address{Name: e.FromName, Address: e.From})
	if err := msg.To(e.To); err != nil {
		return nil, "", channels.Fail(channels.Recipient, "", "%q is not an e-mail address", e.To)
	}
	msg.Subject(e.Subject)
	msg.SetGenHeader(mail.HeaderMessageID, e.MessageID)
	msg.SetDateWithValue(s.now())
	if e.References != "" {
		msg.SetGenHeader(mail.HeaderInReplyTo, e.InReplyTo)
		msg.SetGenHeader(mail.HeaderReferences, e.References)
	}
	if e.ReplyTo != "" {
		if err := msg.ReplyToFormat(e.FromName, e.ReplyTo); err != nil {
			return nil, "", channels.Fail(channels.Config, "reply_domain", "%q is not an e-mail address: mend the reply_domain", e.ReplyTo)
		}
	}
	for _, h := range e.Headers {
		msg.SetGenHeader(mail.Header(h[0]), h[1])
	}
	msg.SetBodyString(mail.TypeTextPlain, e.Text)
	if e.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, e.HTML)
	}
	if _, err := msg.WriteTo(io.Discard); err != nil { // what cannot be written must not be begun
		return nil, "", channels.Fail(channels.Invalid, "compose", "compose the message: %v", err)
	}
	return msg, e.MessageID, nil
}

// helo is the name we give ourselves: the sender's domain.
func helo(from string) string {
	for i := len(from) - 1; i >= 0; i-- {
		if from[i] == '@' {
			return from[i+1:]
		}
	}
	return "localhost"
}
