// Package metatest is a fake of Meta's WhatsApp Cloud API for tests and
// demonstrations, written from its published reference and not from our sender:
// it checks the token and the form of every message, keeps what it accepts,
// knows the account's templates, and signs the webhooks it makes.
package metatest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"carillon/channels/fault"
)

// Server is the fake. Its faults are those of [fault.Server].
type Server struct {
	*fault.Server
	token string

	mu        sync.Mutex
	accepted  []Message
	refused   []string
	templates []Template
}

// Message is one that was accepted.
type Message struct {
	ID          string
	To          string
	Type        string
	Text        string
	Template    string
	Language    string
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
	s := &Server{token: token, templates: templates}
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

// Accepted returns the messages that were accepted, in order.
func (s *Server) Accepted() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.accepted)
}

// Refused returns why requests were refused, faults to order aside.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
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
	case m.Type == "text" && m.Text != nil && m.Text.Body != "" && len([]rune(m.Text.Body)) <= 4096:
		kept.Text = m.Text.Body
	case m.Type == "template" && m.Template != nil:
		if problem, code := s.check(m.Template.Name, m.Template.Language.Code, len(bodyOf(raw))); code != 0 {
			s.refuse(w, http.StatusBadRequest, code, problem)
			return
		}
		kept.Template, kept.Language = m.Template.Name, m.Template.Language.Code
	default:
		s.refuse(w, http.StatusBadRequest, 131008, "Required parameter is missing")
		return
	}
	s.mu.Lock()
	kept.ID = fmt.Sprintf("wamid.HBgL%06d", len(s.accepted)+1)
	s.accepted = append(s.accepted, kept)
	s.mu.Unlock()
	answer(w, map[string]any{
		"messaging_product": "whatsapp", "contacts": []any{map[string]any{"input": m.To, "wa_id": strings.TrimPrefix(m.To, "+")}},
		"messages": []any{map[string]any{"id": kept.ID, "message_status": "accepted"}},
	})
}

// bodyOf returns the parameters of a template's body.
func bodyOf(raw []byte) []json.RawMessage {
	var m struct {
		Template struct {
			Components []struct {
				Type       string            `json:"type"`
				Parameters []json.RawMessage `json:"parameters"`
			} `json:"components"`
		} `json:"template"`
	}
	_ = json.Unmarshal(raw, &m)
	for _, c := range m.Template.Components {
		if c.Type == "body" {
			return c.Parameters
		}
	}
	return nil
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
	s.mu.Lock()
	s.refused = append(s.refused, details)
	s.mu.Unlock()
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

// Status makes the webhook that reports on a message.
func Status(m Message, status string, at time.Time, more ...map[string]any) []byte {
	s := map[string]any{"id": m.ID, "status": status, "timestamp": fmt.Sprint(at.Unix()), "recipient_id": strings.TrimPrefix(m.To, "+"), "biz_opaque_callback_data": m.Correlation}
	for _, extra := range more {
		maps.Copy(s, extra)
	}
	return batch(map[string]any{"statuses": []any{s}})
}

// Text makes the webhook of a contact's message.
func Text(id, from, body string, at time.Time) []byte {
	return Inbound(from, map[string]any{"from": from, "id": id, "timestamp": fmt.Sprint(at.Unix()), "type": "text", "text": map[string]any{"body": body}})
}

// Inbound makes the webhook of a contact's message in any form.
func Inbound(from string, message map[string]any) []byte {
	return batch(map[string]any{
		"contacts": []any{map[string]any{"wa_id": from, "profile": map[string]any{"name": "Ada"}}}, "messages": []any{message},
	})
}

func batch(v map[string]any) []byte {
	v["messaging_product"] = "whatsapp"
	v["metadata"] = map[string]any{"display_phone_number": "14155550100", "phone_number_id": Number}
	b, err := json.Marshal(map[string]any{
		"object": "whatsapp_business_account",
		"entry":  []any{map[string]any{"id": Account, "changes": []any{map[string]any{"field": "messages", "value": v}}}},
	})
	if err != nil {
		panic(err) // plain data
	}
	return b
}

// Sign makes the header X-Hub-Signature-256 of a body, by Meta's description:
// hexadecimal HMAC-SHA256 with the app secret.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body)
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.WriteString("sha256=")
	for _, x := range mac.Sum(nil) {
		b.WriteByte(hex[x>>4])
		b.WriteByte(hex[x&15])
	}
	return b.String()
}
