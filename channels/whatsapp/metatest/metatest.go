// Package metatest is a fake of Meta's WhatsApp Cloud API for tests and
// demonstrations, written from its published reference and not from our sender:
// it checks the token and the form of every message, keeps what it accepts,
// knows the account's templates, and signs the webhooks it makes.
package metatest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"carillon/channels/fault"
)

// Server is the fake. Its faults are those of [fault.Server].
type Server struct {
	*fault.Server
	fault.Book[Message]
	// Hooks sends the webhooks, and misbehaves to order.
	Hooks *fault.Hooks
	// Now is the fake's clock; nil is time.Now. Set it before use.
	Now func() time.Time

	token     string
	templates []Template

	mu    sync.Mutex
	hook  hook
	heard map[string]time.Time // when a number last wrote
}

// Message is one that was accepted.
type Message struct {
	ID          string
	To          string
	Type        string
	Text        string
	Template    string
	Language    string
	Variables   []string // of the template's body
	Correlation string
	Raw         string
}

// Template is one the account has.
type Template struct{ Name, Language, Status, Body string }

// Number and Account are the ids of the fake's number and account.
const (
	Number  = "106540352242922"
	Account = "102290129340398"
)

// New starts a fake that accepts the token; it ends with its owner.
func New(o fault.Owner, token string, templates ...Template) *Server {
	s := &Server{token: token, templates: templates, Hooks: fault.NewHooks(o), heard: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{version}/"+Number+"/messages", s.messages)
	mux.HandleFunc("GET /{version}/"+Number, s.number)
	mux.HandleFunc("GET /{version}/"+Account+"/message_templates", s.list)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, http.StatusBadRequest, 100, "Unsupported request to "+r.URL.Path)
	})
	s.Server = fault.NewServer(o, mux)
	return s
}

// Times counts the accepted messages of each correlation key.
func (s *Server) Times() map[string]int {
	return s.Book.Times(func(m *Message) string { return m.Correlation })
}

var version = regexp.MustCompile(`^v\d+\.\d+$`)

func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		s.refuse(w, http.StatusUnauthorized, 190, "Invalid OAuth access token - Cannot parse access token")
	case !version.MatchString(r.PathValue("version")):
		s.refuse(w, http.StatusBadRequest, 2500, "Unknown path components")
	case r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != "":
		s.refuse(w, http.StatusBadRequest, 100, "the client may repeat this request behind our back")
	default:
		return true
	}
	return false
}

func (s *Server) number(w http.ResponseWriter, r *http.Request) {
	if s.authorized(w, r) {
		answer(w, map[string]any{"id": Number, "display_phone_number": "+1 415-555-0100", "verified_name": "Collect", "quality_rating": "GREEN"})
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	found := []any{}
	for _, t := range s.templates {
		if strings.Contains(t.Name, r.URL.Query().Get("name")) {
			found = append(found, map[string]any{
				"name": t.Name, "language": t.Language, "status": t.Status, "category": "UTILITY", "id": "1",
				"components": []any{map[string]any{"type": "BODY", "text": t.Body}},
			})
		}
	}
	answer(w, map[string]any{"data": found, "paging": map[string]any{}})
}

// messages takes a message, as strictly as the reference is.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.refuse(w, http.StatusBadRequest, 100, "the body is no JSON")
		return
	}
	var m struct {
		Product     string `json:"messaging_product"`
		Recipient   string `json:"recipient_type"`
		To          string `json:"to"`
		Type        string `json:"type"`
		Correlation string `json:"biz_opaque_callback_data"`
		Text        *struct {
			Body       string `json:"body"`
			PreviewURL *bool  `json:"preview_url"`
		} `json:"text"`
		Template *struct {
			Name     string `json:"name"`
			Language struct {
				Code string `json:"code"`
			} `json:"language"`
			Components []struct {
				Type       string            `json:"type"`
				SubType    string            `json:"sub_type"`
				Index      string            `json:"index"`
				Parameters []json.RawMessage `json:"parameters"`
			} `json:"components"`
		} `json:"template"`
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		s.refuse(w, http.StatusBadRequest, 100, "Invalid parameter: "+err.Error())
		return
	}
	kept := Message{To: m.To, Type: m.Type, Correlation: m.Correlation, Raw: string(raw)}
	switch {
	case m.Product != "whatsapp" || m.Recipient != "individual":
		s.refuse(w, http.StatusBadRequest, 100, "messaging_product and recipient_type are required")
		return
	case !regexp.MustCompile(`^\+?\d{5,15}$`).MatchString(m.To):
		s.refuse(w, http.StatusBadRequest, 131009, "Parameter value is not valid: to")
		return
	case len(m.Correlation) > 512:
		s.refuse(w, http.StatusBadRequest, 100, "biz_opaque_callback_data is too long")
		return
	case m.Type == "text" && !s.mayWrite(m.To):
		s.refuse(w, http.StatusBadRequest, 131047, "Message failed to send because more than 24 hours have passed since the customer last replied to this number")
		return
	case m.Type == "text" && m.Text != nil && m.Text.Body != "" && len([]rune(m.Text.Body)) <= 4096:
		kept.Text = m.Text.Body
	case m.Type == "template" && m.Template != nil:
		kept.Template, kept.Language, kept.Variables = m.Template.Name, m.Template.Language.Code, bodyOf(raw)
		if problem, code := s.check(kept.Template, kept.Language, len(kept.Variables)); code != 0 {
			s.refuse(w, http.StatusBadRequest, code, problem)
			return
		}
	default:
		s.refuse(w, http.StatusBadRequest, 131008, "Required parameter is missing")
		return
	}
	kept.ID = "wamid.HBgL" + rand.Text()
	s.Accept(kept)
	answer(w, map[string]any{
		"messaging_product": "whatsapp", "contacts": []any{map[string]any{"input": m.To, "wa_id": strings.TrimPrefix(m.To, "+")}},
		"messages": []any{map[string]any{"id": kept.ID, "message_status": "accepted"}},
	})
}

// bodyOf returns the texts of the parameters of a template's body.
func bodyOf(raw []byte) (texts []string) {
	var m struct {
		Template struct {
			Components []struct {
				Type       string `json:"type"`
				Parameters []struct {
					Text string `json:"text"`
				} `json:"parameters"`
			} `json:"components"`
		} `json:"template"`
	}
	_ = json.Unmarshal(raw, &m)
	for _, c := range m.Template.Components {
		if c.Type == "body" {
			for _, p := range c.Parameters {
				texts = append(texts, p.Text)
			}
		}
	}
	return texts
}

func (s *Server) check(name, code string, variables int) (string, int) {
	if len(s.templates) == 0 {
		return "", 0
	}
	for _, t := range s.templates {
		if t.Name != name || t.Language != code {
			continue
		}
		if t.Status != "APPROVED" {
			return "Template is paused", 132015
		}
		if strings.Count(t.Body, "{{") != variables {
			return "Number of parameters does not match the expected number of params", 132000
		}
		return "", 0
	}
	return "Template name does not exist in the translation", 132001
}

func (s *Server) refuse(w http.ResponseWriter, status, code int, details string) {
	s.Refuse(details)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"message": fmt.Sprintf("(#%d) an error", code), "type": "OAuthException", "code": code,
		"error_data": map[string]any{"messaging_product": "whatsapp", "details": details}, "fbtrace_id": "A1",
	}})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(v)
}
