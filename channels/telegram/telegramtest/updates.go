package telegramtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"carillon/channels/fault"
)

// update is one that nobody has confirmed, and no webhook was given, yet.
type update struct {
	id   int64
	kind string // message, edited_message, callback_query, my_chat_member
	body []byte
}

type webhook struct {
	url, secret string
	allowed     []string
}

// failed is what Telegram says of deliveries that the webhook did not take.
type failed struct {
	waiting int
	why     string
	at      time.Time
}

// FailDeliveries has getWebhookInfo say that so many updates wait, and why.
func (s *Server) FailDeliveries(waiting int, why string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = &failed{waiting, why, at}
}

// Waiting counts the updates that nobody has confirmed by polling.
func (s *Server) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending)
}

// emit queues an update and returns its id; the lock is held.
func (s *Server) emit(kind string, v any) int64 {
	id := s.next
	s.next++
	body, err := json.Marshal(map[string]any{"update_id": id, kind: v})
	if err != nil {
		panic(err) // plain data
	}
	s.pending = append(s.pending, update{id: id, kind: kind, body: body})
	s.deliver()
	s.tell()
	return id
}

// deliver hands what waits to the webhook, if one is set; the lock is held.
func (s *Server) deliver() {
	if s.webhook.url == "" {
		return
	}
	s.wanted(s.webhook.allowed)
	for _, u := range s.pending {
		s.Hooks.Send(fault.Webhook{URL: s.webhook.url, Body: u.body, Signed: signed(s.webhook.secret, u.body)})
	}
	s.pending = nil
}

// signed sets the secret; Telegram signs nothing, so a body that is not the one
// that was sent gets another secret.
func signed(secret string, body []byte) fault.Signature {
	return func(h http.Header, _ string, given []byte, _ time.Time) {
		switch {
		case !bytes.Equal(given, body):
			h.Set("X-Telegram-Bot-Api-Secret-Token", "not-"+secret)
		case secret != "":
			h.Set("X-Telegram-Bot-Api-Secret-Token", secret)
		}
	}
}

var secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]{0,256}$`)

func (s *Server) setWebhook(w http.ResponseWriter, _ *http.Request, p map[string]string) {
	allowed, err := names(p["allowed_updates"])
	switch {
	case err != nil:
		s.refuse(w, http.StatusBadRequest, "Bad Request: can't parse allowed_updates JSON object")
		return
	case !secretForm.MatchString(p["secret_token"]):
		s.refuse(w, http.StatusBadRequest, "Bad Request: secret token contains unallowed characters")
		return
	}
	s.mu.Lock()
	s.webhook = webhook{url: p["url"], secret: p["secret_token"], allowed: allowed}
	if p["drop_pending_updates"] == "true" {
		s.pending = nil
	}
	s.deliver()
	s.tell()
	s.mu.Unlock()
	answer(w, true)
}

// Subscribe sets the webhook, as a call of setWebhook does; "" deletes it.
func (s *Server) Subscribe(address, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhook = webhook{url: address, secret: secret}
	s.deliver()
	s.tell()
}

func (s *Server) deleteWebhook(w http.ResponseWriter, r *http.Request, p map[string]string) {
	s.setWebhook(w, r, map[string]string{"drop_pending_updates": p["drop_pending_updates"]})
}

func (s *Server) getWebhookInfo(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	s.mu.Lock()
	info := map[string]any{"url": s.webhook.url, "has_custom_certificate": false, "pending_update_count": len(s.pending)}
	if f := s.failed; f != nil {
		info["pending_update_count"], info["last_error_date"], info["last_error_message"] = f.waiting, f.at.Unix(), f.why
	}
	s.mu.Unlock()
	answer(w, info)
}

func names(text string) (list []string, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &list)
	}
	return list, err
}

// wanted drops what was not asked for; the lock is held.
func (s *Server) wanted(allowed []string) {
	if len(allowed) > 0 {
		s.pending = slices.DeleteFunc(s.pending, func(u update) bool { return !slices.Contains(allowed, u.kind) })
	}
}

const (
	conflictWebhook = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
	conflictOther   = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)

// getUpdates hands out updates: those below offset are confirmed and never come
// again, without news it waits up to timeout seconds, and of two at a time the
// first is ended.
func (s *Server) getUpdates(w http.ResponseWriter, r *http.Request, p map[string]string) {
	numbers := map[string]int64{"offset": 0, "limit": 100, "timeout": 0}
	for name := range numbers {
		if p[name] == "" {
			continue
		}
		n, err := strconv.ParseInt(p[name], 10, 64)
		if err != nil {
			s.refuse(w, http.StatusBadRequest, "Bad Request: "+name+" must be an Integer")
			return
		}
		numbers[name] = n
	}
	allowed, err := names(p["allowed_updates"])
	if err != nil {
		s.refuse(w, http.StatusBadRequest, "Bad Request: can't parse allowed_updates JSON object")
		return
	}
	limit := min(max(numbers["limit"], 1), 100)
	over := time.After(time.Duration(numbers["timeout"]) * time.Second)
	s.mu.Lock()
	s.polls++
	mine := s.polls
	s.confirm(numbers["offset"])
	s.tell()
	s.mu.Unlock()
	for waiting := numbers["timeout"] > 0; ; {
		s.mu.Lock()
		s.wanted(allowed)
		url, last, changed, found := s.webhook.url, s.polls, s.changed, s.batch(int(limit))
		s.mu.Unlock()
		switch {
		case url != "":
			s.refuse(w, http.StatusConflict, conflictWebhook)
			return
		case last != mine:
			s.refuse(w, http.StatusConflict, conflictOther)
			return
		case len(found) > 0 || !waiting:
			answer(w, found)
			return
		}
		select {
		case <-changed:
		case <-over:
			waiting = false
		case <-r.Context().Done():
			return
		}
	}
}

// confirm forgets what is below offset, or all but the last of a negative one;
// the lock is held.
func (s *Server) confirm(offset int64) {
	switch {
	case offset > 0:
		s.pending = slices.DeleteFunc(s.pending, func(u update) bool { return u.id < offset })
	case offset < 0:
		s.pending = s.pending[max(0, len(s.pending)+int(offset)):]
	}
}

// batch is the first of what waits; the lock is held.
func (s *Server) batch(limit int) []json.RawMessage {
	found := []json.RawMessage{}
	for _, u := range s.pending[:min(limit, len(s.pending))] {
		found = append(found, u.body)
	}
	return found
}

// Updates returns what nobody has confirmed yet, as it would be delivered.
func (s *Server) Updates() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([][]byte, len(s.pending))
	for i := range s.pending {
		found[i] = s.pending[i].body
	}
	return found
}
