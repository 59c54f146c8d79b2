package smtp

import (
	"context"
	"encoding/base64"
	"errors"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"carillon/campaign"
	"carillon/channels"
)

// reply is what a server said no with.
type reply struct {
	status   int
	enhanced string // RFC 3463, such as 5.1.1; "" if the server gives none
	text     string
}

var enhancedCode = regexp.MustCompile(`^([245]\.\d{1,3}\.\d{1,3})\b`)

// replyOf returns the server's own words in an error, if there are any.
func replyOf(err error) (reply, bool) {
	e, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return reply{}, false
	}
	return reply{status: e.Code, enhanced: enhancedCode.FindString(e.Msg), text: e.Msg}, true
}

func (r reply) code() string {
	if r.enhanced != "" {
		return strconv.Itoa(r.status) + " " + r.enhanced
	}
	return strconv.Itoa(r.status)
}

// classify says how a send that was begun has ended; nil if it was taken. What
// counts is how far it came: go-mail names the command that failed, and whether
// the server answered it.
func (s *sender) classify(ctx context.Context, err error) *channels.Failure {
	e, ok := errors.AsType[*mail.SendError](err)
	if !ok {
		return channels.Fail(channels.Unknown, "", "%s", s.redact(err.Error()))
	}
	r, answered := s.said(e)
	switch {
	case e.Reason == mail.ErrSMTPReset: // behind the server's yes
		return nil
	case answered:
		return channels.Fail(r.class(e.Reason), r.code(), "%s: %s", s.host, s.redact(r.text))
	case e.Reason == mail.ErrSMTPDataClose:
		return channels.Fail(channels.Unknown, "", "%s took the message and did not say what became of it", s.host)
	case e.Reason == mail.ErrGetSender || e.Reason == mail.ErrGetRcpts || e.Reason == mail.ErrNoUnencoded:
		return channels.Fail(channels.Invalid, "", "%s", s.redact(e.Error()))
	default: // the end of the message was not sent, so the server may not deliver it
		text := "the connection was lost before the message was complete"
		if ctx.Err() != nil {
			text = "it was canceled or its time was over before the message was complete"
		}
		return channels.Fail(channels.NotSent, "", "%s: %s", s.host, text)
	}
}

// said returns the server's answer to the command that failed. go-mail keeps
// only its code and its text.
func (s *sender) said(e *mail.SendError) (reply, bool) {
	if e.ErrorCode() == 0 {
		return reply{}, false
	}
	code := strconv.Itoa(e.ErrorCode())
	_, text, _ := strings.Cut(e.Error(), code+" ")
	if quoted, err := strconv.QuotedPrefix(text); err == nil { // as package textproto writes it
		text, _ = strconv.Unquote(quoted) // it is one
	} else {
		text, _, _ = strings.Cut(text, ", affected ")
	}
	return reply{status: e.ErrorCode(), enhanced: enhancedCode.FindString(text), text: text}, true
}

// greeting classes a refusal before the message was begun: of the connection,
// of STARTTLS or of the password.
func (r reply) greeting() channels.Class {
	if r.status < 500 {
		return r.temporary()
	}
	return channels.Config
}

func (r reply) temporary() channels.Class {
	if r.status == 421 || strings.HasPrefix(r.enhanced, "4.7.") || r.enhanced == "4.5.3" {
		return channels.Throttled
	}
	return channels.Retryable
}

// class classes a refusal of the message.
func (r reply) class(at mail.SendErrReason) channels.Class {
	switch {
	case r.status < 500:
		return r.temporary()
	case r.status == 530 || r.status == 534 || r.status == 535 || r.status == 538:
		return channels.Config
	case at == mail.ErrSMTPMailFrom:
		if r.status == 552 {
			return channels.Invalid // its size
		}
		return channels.Config // the sender is the integration's
	case strings.HasPrefix(r.enhanced, "5.1.") || r.enhanced == "5.2.1" || r.enhanced == "5.4.4":
		return channels.Recipient
	case r.enhanced == "5.2.2": // the mailbox is full: it is there
		return channels.Policy
	case strings.Contains(strings.ToLower(r.text), "relay"): // the server does not know us
		return channels.Config
	case strings.HasPrefix(r.enhanced, "5.7."):
		return channels.Policy
	case at == mail.ErrSMTPRcptTo:
		switch r.status {
		case 501, 521, 550, 551, 553, 556:
			return channels.Recipient
		}
		return channels.Policy
	case r.status == 552:
		return channels.Invalid
	case r.status == 550 || r.status == 553 || r.status == 554:
		return channels.Policy // of the content: the address was accepted before
	default:
		return channels.Invalid
	}
}

// connecting classes an error without an answer before the message was begun.
// Nothing has left; but what only a person can mend is not repeated for a day.
func connecting(err error) channels.Class {
	if errors.Is(err, mail.ErrPlainAuthNotSupported) || errors.Is(err, mail.ErrNoSupportedAuthDiscovered) ||
		strings.Contains(err.Error(), "does not support") {
		return channels.Config
	}
	return channels.NotSent
}

// redact takes the password out, also as AUTH PLAIN sends it.
func redact(text, user string, secrets map[string]campaign.Secret) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+secret.Reveal())), secret.String())
		}
	}
	return channels.Redact(text, secrets)
}
