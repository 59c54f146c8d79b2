package whatsapp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/channels"
)

// margin is what a message may take on its way.
const margin = time.Minute

type request struct {
	Product     string    `json:"messaging_product"`
	Recipient   string    `json:"recipient_type"`
	To          string    `json:"to"`
	Type        string    `json:"type"`
	Correlation string    `json:"biz_opaque_callback_data"` // comes back in every status
	Text        *textBody `json:"text,omitempty"`
	Template    *template `json:"template,omitempty"`
}

type textBody struct {
	Body       string `json:"body"`
	PreviewURL bool   `json:"preview_url"`
}

type template struct {
	Name       string      `json:"name"`
	Language   language    `json:"language"`
	Components []component `json:"components,omitempty"`
}

type language struct {
	Code string `json:"code"`
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type,omitempty"`
	Index      string      `json:"index,omitempty"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type     string `json:"type"`
	Name     string `json:"parameter_name,omitempty"`
	Text     string `json:"text,omitempty"`
	Payload  string `json:"payload,omitempty"`
	Image    *media `json:"image,omitempty"`
	Video    *media `json:"video,omitempty"`
	Document *media `json:"document,omitempty"`
}

type media struct {
	Link string `json:"link"`
}

// compose makes the body of the request: the approved template to open, a free
// text to answer.
func (s *sender) compose(m channels.Outbound) ([]byte, *channels.Failure) {
	if m.CorrelationKey == "" {
		return nil, channels.Fail(channels.Unclassified, "", "the message has no correlation key")
	}
	r := request{Product: "whatsapp", Recipient: "individual", To: digits(m.To), Correlation: m.CorrelationKey}
	if r.To == "" {
		return nil, channels.Fail(channels.Recipient, "no_number", "%q is no phone number", m.To)
	}
	if err := channels.WhatsAppText(m.Body); err != nil {
		return nil, channels.Classify(err)
	}
	if m.Reply {
		if m.Heard.IsZero() || s.now().After(m.Heard.Add(channels.WhatsAppWindow-margin)) {
			return nil, channels.WindowClosed(m.Heard)
		}
		r.Type, r.Text = "text", &textBody{Body: m.Body}
		return encode(&r)
	}
	if m.Delivery.TemplateName == "" {
		return nil, channels.Fail(channels.Template, "no_template", "the stage names no template")
	}
	components, failure := componentsOf(m.Variables)
	if failure != nil {
		return nil, failure
	}
	r.Type = "template"
	r.Template = &template{Name: m.Delivery.TemplateName, Language: language{Code: orElse(m.Delivery.Language, s.language)}, Components: components}
	return encode(&r)
}

// CheckText implements [channels.TextChecker].
func (Provider) CheckText(text string) error { return channels.WhatsAppText(text) }

func encode(r *request) ([]byte, *channels.Failure) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, channels.Fail(channels.Invalid, "", "the message cannot be written: %v", err)
	}
	return b, nil
}

// componentsOf makes a template's components of a stage's variables. A name says
// where its value goes:
//
//	1, 2, …                              the body's numbered variables
//	any other                            the body's named variable
//	header                               the header's text
//	header_image, _video, _document      the address of the header's media
//	button_0, button_1, …                what is put behind a button's address
//	button_0_payload, …                  what a quick reply sends back
func componentsOf(variables map[string]string) ([]component, *channels.Failure) {
	var header, body, buttons []component
	var numbered []int
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := variables[name]
		switch kind, ok := strings.CutPrefix(name, "header"); {
		case ok && kind == "":
			header = append(header, component{Type: "header", Parameters: []parameter{{Type: "text", Text: value}}})
		case kind == "_image":
			header = append(header, component{Type: "header", Parameters: []parameter{{Type: "image", Image: &media{value}}}})
		case kind == "_video":
			header = append(header, component{Type: "header", Parameters: []parameter{{Type: "video", Video: &media{value}}}})
		case kind == "_document":
			header = append(header, component{Type: "header", Parameters: []parameter{{Type: "document", Document: &media{value}}}})
		case strings.HasPrefix(name, "button_"):
			b, ok := button(name, value)
			if !ok {
				return nil, channels.Fail(channels.Template, "variable", "the variable %q is none of button_0, button_0_payload and so on", name)
			}
			buttons = append(buttons, b)
		default:
			if n, err := strconv.Atoi(name); err == nil {
				numbered = append(numbered, n)
				continue
			}
			if body == nil {
				body = []component{{Type: "body"}}
			}
			body[0].Parameters = append(body[0].Parameters, parameter{Type: "text", Name: name, Text: value})
		}
	}
	if len(numbered) > 0 {
		if body != nil {
			return nil, channels.Fail(channels.Template, "variable", "a template's variables are either numbered or named, not both")
		}
		slices.Sort(numbered)
		c := component{Type: "body"}
		for i, n := range numbered {
			if n != i+1 {
				return nil, channels.Fail(channels.Template, "variable", "the variables are numbered 1, 2, and so on; %d is missing", i+1)
			}
			c.Parameters = append(c.Parameters, parameter{Type: "text", Text: variables[strconv.Itoa(n)]})
		}
		body = []component{c}
	}
	return slices.Concat(header, body, buttons), nil
}

func button(name, value string) (component, bool) {
	index, kind, _ := strings.Cut(strings.TrimPrefix(name, "button_"), "_")
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || n > 9 {
		return component{}, false
	}
	c := component{Type: "button", Index: fmt.Sprint(n)}
	switch kind {
	case "":
		c.SubType, c.Parameters = "url", []parameter{{Type: "text", Text: value}}
	case "payload":
		c.SubType, c.Parameters = "quick_reply", []parameter{{Type: "payload", Payload: value}}
	default:
		return component{}, false
	}
	return c, true
}

// digits is a number as Meta writes it: without + and punctuation.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}
