// Package sendgridtest is a fake of SendGrid's Mail Send API for tests, written
// from its published reference and not from our sender: it checks the key, the
// form of every message and what SendGrid refuses, keeps what it accepts, and
// misbehaves to order.
package sendgridtest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"sync"

	"carillon/channels/fault"
)

// Server is the fake. Its faults are those of [fault.Server].
type Server struct {
	*fault.Server
	fault.Book[Message]
	// Hooks sends the webhooks, and misbehaves to order.
	Hooks *fault.Hooks
	// Signer signs the Event Webhook and Inbound Parse.
	Signer *Signer

	key string

	mu      sync.Mutex
	events  string // the address of the Event Webhook
	inbound string // that of Inbound Parse
}

// Message is one that was accepted.
type Message struct {
	Mail
	ID     string // the X-Message-Id
	Header http.Header
	Raw    string
}

// Text returns the content of a type, such as text/plain.
func (m *Message) Text(kind string) string {
	for _, c := range m.Content {
		if c.Type == kind {
			return c.Value
		}
	}
	return ""
}

// New starts a fake that accepts the key; it ends with its owner.
func New(o fault.Owner, key string) *Server {
	s := &Server{key: key, Hooks: fault.NewHooks(o), Signer: NewSigner()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/mail/send", s.send)
	mux.HandleFunc("GET /v3/scopes", s.scopes)
	s.Server = fault.NewServer(o, mux)
	return s
}

// Times counts the accepted messages of each correlation key.
func (s *Server) Times() map[string]int {
	return s.Book.Times(func(m *Message) string { return m.Personalizations[0].CustomArgs["correlation_key"] })
}

func (s *Server) scopes(w http.ResponseWriter, r *http.Request) {
	if s.authorized(w, r) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"scopes":["mail.batch.create","mail.send"]}`)
	}
}

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(w, r) {
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 30<<20))
	if err != nil {
		s.refuse(w, http.StatusRequestEntityTooLarge, "", "The payload is larger than 30MB")
		return
	}
	if r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != "" {
		s.refuse(w, http.StatusBadRequest, "", "the client may repeat this request behind our back")
		return
	}
	m, field, problem := read(r.Header, raw)
	if problem != "" {
		s.refuse(w, http.StatusBadRequest, field, problem)
		return
	}
	id := rand.Text()[:22]
	s.Accept(Message{Mail: *m, ID: id, Header: r.Header.Clone(), Raw: string(raw)})
	w.Header().Set("X-Message-Id", id)
	w.WriteHeader(http.StatusAccepted)
}

func (s *Server) authorized(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Authorization") == "Bearer "+s.key {
		return true
	}
	s.refuse(w, http.StatusUnauthorized, "", "The provided authorization grant is invalid, expired, or revoked")
	return false
}

func (s *Server) refuse(w http.ResponseWriter, status int, field, message string) {
	s.Refuse(message)
	type problem struct {
		Message string  `json:"message"`
		Field   *string `json:"field"`
		Help    *string `json:"help"`
	}
	p := problem{Message: message}
	if field != "" {
		p.Field = &field
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []problem{p}})
}
