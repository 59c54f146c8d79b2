package sendgridtest

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"time"

	"carillon/channels/fault"
)

// Subscribe sets the address of the Event Webhook.
func (s *Server) Subscribe(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = address
}

// Report sends the event that says what became of a message: processed,
// delivered, open, bounce and so on. The custom arguments come back in it.
func (s *Server) Report(m Message, event string, more ...map[string]any) {
	s.Post(Event(m, event, time.Now(), more...))
}

// Tell reports each of the events of every message from now on.
func (s *Server) Tell(events ...string) {
	s.Watch(func(m Message) {
		for _, event := range events {
			s.Report(m, event)
		}
	})
}

// Event makes the batch of one event about a message:
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
func Event(m Message, event string, at time.Time, more ...map[string]any) []byte {
	p := m.Personalizations[0]
	e := map[string]any{
		"email": p.To[0].Email, "timestamp": at.Unix(), "event": event, "sg_event_id": rand.Text(), "sg_message_id": m.ID + ".filter0001.16648.5515E0B88.0",
		"smtp-id": p.Headers["Message-ID"],
	}
	for name, value := range p.CustomArgs {
		e[name] = value
	}
	for _, fields := range more {
		maps.Copy(e, fields)
	}
	b, err := json.Marshal([]any{e})
	if err != nil {
		panic(err) // plain data
	}
	return b
}

// Post sends a batch of events, signed, if the webhook is set.
func (s *Server) Post(body []byte) {
	s.mu.Lock()
	address := s.events
	s.mu.Unlock()
	if address == "" {
		return
	}
	s.Hooks.Send(fault.Webhook{URL: address, Body: body, Signed: func(h http.Header, _ string, body []byte, at time.Time) {
		s.Signer.Sign(h, body, at)
	}})
}
