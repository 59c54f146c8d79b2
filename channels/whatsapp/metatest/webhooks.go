package metatest

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"carillon/channels/fault"
)

// hook is the webhook that was set in the app.
type hook struct{ url, secret string }

// window is how long a number may be written to freely after it wrote.
const window = 24 * time.Hour

// Subscribe sets the webhook of the app with the secret, as its form does: the
// address has to answer the challenge first.
func (s *Server) Subscribe(ctx context.Context, address, verifyToken, appSecret string) error {
	challenge := rand.Text()
	q := url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {verifyToken}, "hub.challenge": {challenge}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil || resp.StatusCode != http.StatusOK || string(body) != challenge {
		return fmt.Errorf("the callback URL or verify token couldn't be validated: %d", resp.StatusCode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook{address, appSecret}
	return nil
}

// Report sends the webhook that says what became of a message: sent, delivered,
// read or failed.
func (s *Server) Report(m Message, status string, more ...map[string]any) {
	s.Post(Status(m, status, s.now(), more...))
}

// Tell reports each of the statuses of every message from now on.
func (s *Server) Tell(statuses ...string) {
	s.Watch(func(m Message) {
		for _, status := range statuses {
			s.Report(m, status)
		}
	})
}

// Say is a person who writes to the number, which lets it write freely for 24
// hours. It returns the message's id.
func (s *Server) Say(from, text string) string {
	from = strings.TrimPrefix(from, "+")
	s.mu.Lock()
	s.heard[from] = s.now()
	s.mu.Unlock()
	id := "wamid.IN" + rand.Text()
	s.Post(Text(id, from, text, s.now()))
	return id
}

// Post sends a body as a webhook, signed, if one is set.
func (s *Server) Post(body []byte) {
	s.mu.Lock()
	h := s.hook
	s.mu.Unlock()
	if h.url == "" {
		return
	}
	s.Hooks.Send(fault.Webhook{URL: h.url, Body: body, Signed: func(header http.Header, _ string, body []byte, _ time.Time) {
		header.Set("X-Hub-Signature-256", Sign(h.secret, body))
	}})
}

func (s *Server) mayWrite(to string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard, ok := s.heard[strings.TrimPrefix(to, "+")]
	return ok && s.now().Sub(heard) < window
}

func (s *Server) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
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
