package sendgridtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strings"
)

// Address is an e-mail address as the API has it.
type Address struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

// Content is one form of a message's text.
type Content struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Personalization is who gets the message, and what is particular to them.
type Personalization struct {
	To         []Address         `json:"to"`
	CC         []Address         `json:"cc"`
	BCC        []Address         `json:"bcc"`
	Subject    string            `json:"subject"`
	Headers    map[string]string `json:"headers"`
	CustomArgs map[string]string `json:"custom_args"`
}

// Mail is the body of a request, as far as Carillon uses it. A field it does
// not use is refused, so that a test notices a new one.
type Mail struct {
	From             Address           `json:"from"`
	ReplyTo          *Address          `json:"reply_to"`
	Subject          string            `json:"subject"`
	Personalizations []Personalization `json:"personalizations"`
	Content          []Content         `json:"content"`
}

// reserved are the headers a message may not set.
var reserved = strings.Fields("x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding to from subject reply-to cc bcc")

var messageID = regexp.MustCompile(`^<[^<>@\s]+@[^<>@\s]+>$`)

// read returns the message, or the field and what is wrong with it, in the
// words of SendGrid where they are known.
func read(h http.Header, raw []byte) (m *Mail, field, problem string) {
	if !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		return nil, "", "Content-Type should be application/json."
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	m = &Mail{}
	if err := dec.Decode(m); err != nil {
		return nil, "", "Bad Request: " + err.Error()
	}
	if !valid(m.From.Email) {
		return nil, "from.email", "The from email does not contain a valid address."
	}
	if m.ReplyTo != nil && !valid(m.ReplyTo.Email) {
		return nil, "reply_to.email", "The reply_to email does not contain a valid address."
	}
	if len(m.Personalizations) != 1 {
		return nil, "personalizations", "one person per request: arguments and headers are theirs"
	}
	p := m.Personalizations[0]
	if len(p.To) != 1 || len(p.CC)+len(p.BCC) > 0 {
		return nil, "personalizations.0.to", "The to array is required for all personalization objects, and must have at least one email object with a valid email address."
	}
	if !valid(p.To[0].Email) {
		return nil, "personalizations.0.to.0.email", "Does not contain a valid address."
	}
	if m.Subject == "" && p.Subject == "" {
		return nil, "subject", "The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined."
	}
	if field, problem = p.check(); problem != "" {
		return nil, field, problem
	}
	if len(m.Content) == 0 {
		return nil, "content", "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block."
	}
	for i, c := range m.Content {
		if c.Value == "" {
			return nil, fmt.Sprintf("content.%d.value", i), "The content value must be a string at least one character in length."
		}
		if strings.ContainsAny(c.Type, ";\r\n") || !slices.Contains([]string{"text/plain", "text/html"}, c.Type) {
			return nil, fmt.Sprintf("content.%d.type", i), "The content type is not valid."
		}
		if c.Type == "text/plain" && i > 0 {
			return nil, "content", "If present, text/plain and text/html may only be provided once, and text/plain must be the first content."
		}
	}
	return m, "", ""
}

func (p *Personalization) check() (field, problem string) {
	for name, value := range p.Headers {
		if slices.Contains(reserved, strings.ToLower(name)) {
			return "personalizations.0.headers", "The header " + name + " is reserved and cannot be set."
		}
		if strings.ContainsAny(name+value, "\r\n") {
			return "personalizations.0.headers", "a header of more than one line"
		}
	}
	if id, ok := p.Headers["Message-ID"]; ok && !messageID.MatchString(id) {
		return "personalizations.0.headers", "the Message-ID " + id + " is not of the form <left@right>"
	}
	args, err := json.Marshal(p.CustomArgs)
	if err != nil || len(args) > 10000 {
		return "personalizations.0.custom_args", "The custom_args may not exceed 10000 bytes."
	}
	for name, value := range p.CustomArgs {
		if strings.ContainsAny(value, "@ ") {
			return "personalizations.0.custom_args", "personal data in " + name
		}
	}
	return "", ""
}

func valid(address string) bool {
	a, err := mail.ParseAddress(address)
	return err == nil && a.Address == address && strings.Contains(address[strings.LastIndex(address, "@"):], ".")
}
