package bird

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"carillon/channels"
)

// margin is what a message may take on its way.
const margin = time.Minute

type request struct {
	Receiver  receiver  `json:"receiver"`
	Reference string    `json:"reference"` // comes back in every event, and in a look-up
	Template  *template `json:"template,omitempty"`
	Body      *body     `json:"body,omitempty"`
}

type receiver struct {
	Contacts []contact `json:"contacts"`
}

type contact struct {
	Key   string `json:"identifierKey"`
	Value string `json:"identifierValue"`
}

type template struct {
	Project    string      `json:"projectId"`
	Version    string      `json:"version"`
	Locale     string      `json:"locale"`
	Parameters []parameter `json:"parameters,omitempty"`
}

type parameter struct {
	Type  string `json:"type"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

type body struct {
	Type string   `json:"type"`
	Text textBody `json:"text"`
}

type textBody struct {
	Text string `json:"text"`
}

// compose makes the body of the request: the template project to open, a free
// text to answer.
func (s *sender) compose(m channels.Outbound) ([]byte, *channels.Failure) {
	if m.CorrelationKey == "" {
		return nil, channels.Fail(channels.Unclassified, "", "the message has no correlation key")
	}
	if strings.Trim(m.To, "+0123456789 ()-") != "" || m.To == "" {
		return nil, channels.Fail(channels.Recipient, "no_number", "%q is no phone number", m.To)
	}
	if err := channels.WhatsAppText(m.Body); err != nil {
		return nil, channels.Classify(err)
	}
	r := request{Receiver: receiver{[]contact{{"phonenumber", number(m.To)}}}, Reference: m.CorrelationKey}
	switch {
	case m.Reply && (m.Heard.IsZero() || s.now().After(m.Heard.Add(channels.WhatsAppWindow-margin))):
		return nil, channels.WindowClosed(m.Heard)
	case m.Reply:
		r.Body = &body{Type: "text", Text: textBody{m.Body}}
	case m.Delivery.ProjectID == "" || m.Delivery.Version == "":
		return nil, channels.Fail(channels.Template, "no_template", "the stage names no project or no version")
	default:
		r.Template = &template{Project: m.Delivery.ProjectID, Version: m.Delivery.Version, Locale: orElse(m.Delivery.Language, s.locale)}
		for _, key := range slices.Sorted(maps.Keys(m.Variables)) {
			r.Template.Parameters = append(r.Template.Parameters, parameter{"string", key, m.Variables[key]})
		}
	}
	b, err := json.Marshal(&r)
	if err != nil {
		return nil, channels.Fail(channels.Invalid, "", "the message cannot be written: %v", err)
	}
	return b, nil
}

// CheckText implements [channels.TextChecker].
func (Provider) CheckText(text string) error { return channels.WhatsAppText(text) }

// number is a phone number as Bird wants it: + and digits.
func number(text string) string {
	return "+" + strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
