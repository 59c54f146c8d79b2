package channels

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// Email is what every provider of e-mail says alike about one message.
type Email struct {
	From       string // the address alone
	FromName   string
	ReplyTo    string // "": answers go to From
	To         string
	Subject    string
	Text       string
	HTML       string      // "": the message is text only
	MessageID  string      // with its angle brackets
	InReplyTo  string      // the Message-ID of what this is a reply to, or ""
	References string      // those of the thread before it, or ""
	Headers    [][2]string // beside those above, in order
}

// NewEmail makes an e-mail of a message. Its Message-ID follows from the
// correlation key and the domain of from, so the same message has the same one
// however often it is composed. With a replyDomain, answers of a conversation
// go to reply+<token>@replyDomain.
func NewEmail(m Outbound, from, fromName, replyDomain string) Email {
	domain := domainOf(from)
	e := Email{
		From: from, FromName: fromName, To: m.To, Subject: m.Subject, Text: m.Body, MessageID: messageID(m.CorrelationKey, domain),
		Headers: [][2]string{},
	}
	if m.HTML {
		e.Text, e.HTML = PlainText(m.Body), m.Body
	}
	if ids := thread(m, domain); len(ids) > 0 {
		e.References = strings.Join(ids, " ")
		e.InReplyTo = ids[len(ids)-1]
	}
	if replyDomain != "" && m.SessionID != "" {
		e.ReplyTo = replyAddress(m.ReplyToken, replyDomain)
	}
	if m.UnsubscribeURL != "" { // RFC 8058; providers sign both headers
		e.Headers = append(e.Headers, [2]string{"List-Unsubscribe", "<" + m.UnsubscribeURL + ">"}, [2]string{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"})
	}
	if !m.Reply { // RFC 3834: so that out-of-office programs stay silent
		e.Headers = append(e.Headers, [2]string{"Auto-Submitted", "auto-generated"})
	}
	return e
}

// threadLength bounds how many messages a reply refers to; with more the first
// and the newest are kept (RFC 5322, 3.6.4, sets no limit; servers do).
const threadLength = 20

// thread is the Message-IDs before a reply, oldest first.
func thread(m Outbound, domain string) []string {
	var ids []string
	add := func(id string) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if m.Opening != "" {
		add(messageID(m.Opening, domain))
	}
	for _, said := range m.Thread {
		switch {
		case said.Key != "" && said.Key != m.CorrelationKey:
			add(messageID(said.Key, domain))
		case said.Key == "" && wholeID.MatchString(said.ID):
			add(said.ID)
		}
	}
	if len(ids) > threadLength {
		ids = slices.Concat(ids[:1], ids[len(ids)-threadLength+1:])
	}
	return ids
}

// wholeID is a Message-ID that can stand in a header of ours.
var wholeID = regexp.MustCompile(`^<[!-;=?-~]{1,248}>$`)

// plainKey is a key that can stand in a Message-ID as it is.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9_#-]+(\.[A-Za-z0-9_#-]+)*$`)

func messageID(key, domain string) string {
	if len(key) > 100 || !plainKey.MatchString(key) {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:16])
	}
	return "<" + key + "@" + domain + ">"
}

func domainOf(address string) string {
	return address[strings.LastIndex(address, "@")+1:]
}
