// Package birdtest is a fake of Bird's Channels API for tests and demonstrations,
// written from its published reference and not from our sender: it checks the key
// and the form of every message, keeps and lists what it accepts, and signs the
// webhooks it makes.
package birdtest

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

// Workspace and Channel are the ids of the fake.
const (
	Workspace = "8b1a0f5e-0000-4000-8000-000000000001"
	Channel   = "8b1a0f5e-0000-4000-8000-000000000002"
)

// Server is the fake. Its faults are those of [fault.Server].
type Server struct {
	*fault.Server
	fault.Book[Message]
	// Hooks sends the webhooks, and misbehaves to order.
	Hooks *fault.Hooks

	key string
	now func() time.Time

	mu    sync.Mutex
	hook  hook
	heard map[string]time.Time // when a number last wrote
}

// Message is one that was accepted.
type Message struct {
	ID         string
	To         string
	Reference  string
	Project    string
	Version    string
	Locale     string
	Parameters []string // such as name=Ada
	Text       string
	At         time.Time
	Raw        string
}

// New starts a fake that accepts the key; it ends with its owner.
func New(o fault.Owner, key string, now func() time.Time) *Server {
	s := &Server{key: key, now: now, Hooks: fault.NewHooks(o), heard: map[string]time.Time{}}
	mux := http.NewServeMux()
	path := "/workspaces/" + Workspace + "/channels/" + Channel + "/messages"
	mux.HandleFunc("POST "+path, s.send)
	mux.HandleFunc("GET "+path, s.list)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, http.StatusNotFound, "NotFound", "Workspace or channel not found", nil)
	})
	s.Server = fault.NewServer(o, mux)
	return s
}

// Times counts the accepted messages of each reference.
func (s *Server) Times() map[string]int {
	return s.Book.Times(func(m *Message) string { return m.Reference })
}

func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.Header.Get("Authorization") != "AccessKey "+s.key:
		s.refuse(w, http.StatusUnauthorized, "Unauthorized", "Access key is not valid", nil)
	case r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != "":
		s.refuse(w, http.StatusBadRequest, "BadRequest", "the client may repeat this request behind our back", nil)
	default:
		return true
	}
	return false
}

var (
	phone     = regexp.MustCompile(`^\+\d{5,15}$`)
	wellKnown = regexp.MustCompile(`^(latest|[0-9A-Za-z-]{1,64})$`)
)

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var m struct {
		Receiver struct {
			Contacts []struct {
				Key   string `json:"identifierKey"`
				Value string `json:"identifierValue"`
			} `json:"contacts"`
		} `json:"receiver"`
		Reference string `json:"reference"`
		Template  *struct {
			Project    string `json:"projectId"`
			Version    string `json:"version"`
			Locale     string `json:"locale"`
			Parameters []struct {
				Type, Key, Value string
			} `json:"parameters"`
		} `json:"template"`
		Body *struct {
			Type string `json:"type"`
			Text struct {
				Text string `json:"text"`
			} `json:"text"`
		} `json:"body"`
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err == nil {
		err = d.Decode(&m)
	}
	kept := Message{Reference: m.Reference, Raw: string(raw), At: s.now()}
	details := map[string][]string{}
	switch {
	case err != nil:
		s.refuse(w, http.StatusBadRequest, "BadRequest", err.Error(), nil)
		return
	case len(m.Receiver.Contacts) != 1 || m.Receiver.Contacts[0].Key != "phonenumber" || !phone.MatchString(m.Receiver.Contacts[0].Value):
		details["receiver.contacts[0].identifierValue"] = []string{"must be a phone number"}
	case (m.Template == nil) == (m.Body == nil):
		details["body"] = []string{"exactly one of template and body"}
	case m.Template != nil && (!wellKnown.MatchString(m.Template.Project) || !wellKnown.MatchString(m.Template.Version) || m.Template.Locale == ""):
		details["template"] = []string{"projectId, version and locale are required"}
	case m.Body != nil && (m.Body.Type != "text" || m.Body.Text.Text == "" || len([]rune(m.Body.Text.Text)) > 4096):
		details["body.text.text"] = []string{"between 1 and 4096 characters"}
	}
	if m.Template != nil {
		kept.Project, kept.Version, kept.Locale = m.Template.Project, m.Template.Version, m.Template.Locale
		for _, p := range m.Template.Parameters {
			if p.Type != "string" || p.Key == "" {
				details["template.parameters"] = []string{"type and key are required"}
			}
			kept.Parameters = append(kept.Parameters, p.Key+"="+p.Value)
		}
	}
	if len(details) > 0 {
		s.refuse(w, http.StatusUnprocessableEntity, "UnprocessableEntity", "The request is invalid", details)
		return
	}
	kept.To = m.Receiver.Contacts[0].Value
	if m.Body != nil {
		kept.Text = m.Body.Text.Text
	}
	kept.ID = uuid()
	s.Accept(kept)
	if failure := s.refusal(&kept); failure != nil {
		s.Report(kept, "sending_failed", failure)
	}
	answer(w, http.StatusAccepted, resource(&kept, "accepted"))
}

func resource(m *Message, status string) map[string]any {
	return map[string]any{
		"id": m.ID, "channelId": Channel, "reference": m.Reference, "status": status, "direction": "outgoing",
		"createdAt": m.At.UTC().Format(time.RFC3339Nano), "lastStatusAt": m.At.UTC().Format(time.RFC3339Nano),
		"receiver": map[string]any{"contacts": []any{map[string]any{"identifierKey": "phonenumber", "identifierValue": m.To}}},
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	found := []any{}
	for _, m := range s.Accepted() {
		if to := r.URL.Query().Get("phonenumber"); to == "" || to == m.To {
			found = append(found, resource(&m, "sent"))
		}
	}
	answer(w, http.StatusOK, map[string]any{"results": found, "nextPageToken": nil})
}

func (s *Server) refuse(w http.ResponseWriter, status int, code, message string, details map[string][]string) {
	s.Refuse(fmt.Sprintf("%s %v", message, details))
	answer(w, status, map[string]any{"code": code, "message": message, "details": details})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// uuid is a new id of a message.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
