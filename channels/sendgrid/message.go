package sendgrid

import (
	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"carillon/channels"
)

// ArgKey is the custom argument that carries a message's correlation key;
// every event of SendGrid's about the message brings it back.
const ArgKey = "correlation_key"

// maxBody bounds the text of a message in bytes. SendGrid takes 30 MB in all,
// and an HTML message is sent as text too.
const maxBody = 10 << 20

// compose makes the body of the request: one person per request, so that
// custom arguments, headers and the ledger are each about one message.
func (s *sender) compose(m channels.Outbound) ([]byte, *channels.Failure) {
	if m.CorrelationKey == "" {
		return nil, channels.Fail(channels.Unclassified, "", "the message has no correlation key")
	}
	if len(m.Body) > maxBody {
		return nil, channels.Fail(channels.Invalid, "too_long", "the message has %d bytes; SendGrid's limit leaves room for %d", len(m.Body), maxBody)
	}
	e := channels.NewEmail(m, s.from, s.fromName, s.replyDomain)
	p := mail.NewPersonalization()
	p.AddTos(mail.NewEmail("", e.To))
	p.SetHeader("Message-ID", e.MessageID)
	if e.References != "" {
		p.SetHeader("In-Reply-To", e.InReplyTo)
		p.SetHeader("References", e.References)
	}
	for _, h := range e.Headers {
		p.SetHeader(h[0], h[1])
	}
	// Ids only: SendGrid stores custom arguments as they are, for long.
	for name, id := range map[string]string{
		ArgKey: m.CorrelationKey, "campaign_id": m.CampaignID, "contact_id": m.ContactID, "communication_id": m.CommunicationID, "session_id": m.SessionID,
	} {
		if id != "" {
			p.SetCustomArg(name, id)
		}
	}
	v3 := mail.NewV3Mail()
	v3.SetFrom(mail.NewEmail(e.FromName, e.From))
	v3.Subject = e.Subject
	v3.AddPersonalizations(p)
	if e.ReplyTo != "" {
		v3.SetReplyTo(mail.NewEmail(e.FromName, e.ReplyTo))
	}
	if e.Text != "" || e.HTML == "" {
		v3.AddContent(mail.NewContent("text/plain", e.Text)) // SendGrid wants it first
	}
	if e.HTML != "" {
		v3.AddContent(mail.NewContent("text/html", e.HTML))
	}
	return mail.GetRequestBody(v3), nil
}
