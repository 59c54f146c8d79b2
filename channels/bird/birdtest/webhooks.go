package birdtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"carillon/channels/fault"
)

// hook is the webhook subscription.
type hook struct{ url, key string }

// window is how long a number may be written to freely after it wrote.
const window = 24 * time.Hour

// Subscribe sets the address that events go to, and the key that signs them.
func (s *Server) Subscribe(address, signingKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook{address, signingKey}
}

// Report sends the event that says what became of a message: sent, delivered,
// sending_failed and so on.
func (s *Server) Report(m Message, status string, failure map[string]any) {
	s.Post(Status(m, status, s.now(), failure))
}

// Tell reports each of the statuses of every message from now on that WhatsApp
// takes.
func (s *Server) Tell(statuses ...string) {
	s.Watch(func(m Message) {
		if s.refusal(&m) != nil {
			return
		}
		for i, status := range statuses {
			s.Post(Status(m, status, s.now().Add(time.Duration(i)*time.Millisecond), nil))
		}
	})
}

// Say is a person who writes to the channel, which lets it write freely for 24
// hours. It returns the message's id.
func (s *Server) Say(from, text string) string {
	s.mu.Lock()
	s.heard[from] = s.now()
	s.mu.Unlock()
	id := uuid()
	s.Post(Text(id, from, text, s.now()))
	return id
}

// Post sends a body as an event, signed, if there is a subscription.
func (s *Server) Post(body []byte) {
	s.mu.Lock()
	h := s.hook
	s.mu.Unlock()
	if h.url == "" {
		return
	}
	s.Hooks.Send(fault.Webhook{URL: h.url, Body: body, Signed: func(header http.Header, url string, body []byte, at time.Time) {
		stamp := fmt.Sprint(at.Unix())
		header.Set("messagebird-request-timestamp", stamp)
		header.Set("messagebird-signature", Sign(h.key, stamp, url, body))
	}})
}

// refusal says why WhatsApp will not take what Bird has accepted; nil if it will.
// Bird itself does not look at the window.
func (s *Server) refusal(m *Message) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if heard, ok := s.heard[m.To]; m.Text == "" || ok && s.now().Sub(heard) < window {
		return nil
	}
	return map[string]any{
		"code": 15000, "description": "the channel refused the message",
		"source": map[string]any{"code": "131047", "name": "Re-engagement message"},
	}
}

// Event makes the webhook of an event.
func Event(kind string, payload map[string]any) []byte {
	b, err := json.Marshal(map[string]any{"service": "channels", "event": kind, "payload": payload})
	if err != nil {
		panic(err) // plain data
	}
	return b
}

// Status makes the webhook that reports on a message.
func Status(m Message, status string, at time.Time, failure map[string]any) []byte {
	p := resource(&m, status)
	p["lastStatusAt"] = at.UTC().Format(time.RFC3339Nano)
	if failure != nil {
		p["failure"] = failure
	}
	return Event("whatsapp.outbound", p)
}

// Text makes the webhook of a contact's message.
func Text(id, from, text string, at time.Time) []byte {
	return Event("whatsapp.inbound", map[string]any{
		"id": id, "channelId": Channel, "status": "delivered", "direction": "incoming", "createdAt": at.UTC().Format(time.RFC3339Nano),
		"sender": map[string]any{"contact": map[string]any{"identifierKey": "phonenumber", "identifierValue": from, "annotations": map[string]any{"name": "Ada"}}},
		"body":   map[string]any{"type": "text", "text": map[string]any{"text": text}},
	})
}

// Sign makes the signature of a request, by Bird's description: base64 of
// HMAC-SHA256 over timestamp, address and the SHA-256 of the body, a line each.
func Sign(key, timestamp, address string, body []byte) string {
	hashed := sha256.Sum256(body)
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(mac, "%s\n%s\n%s", timestamp, address, hashed[:])
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
