// Package telegramtest is a fake of Telegram's Bot API for tests and
// demonstrations, written from its published reference and not from our sender:
// it checks the token and the form of every call, knows which chats are open and
// which people have blocked the bot, keeps what it accepts, and hands out updates
// by webhook or by long polling.
package telegramtest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"carillon/channels/fault"
)

// Username is the name of the fake's bot.
const Username = "collect_bot"

// Server is the fake of one bot. Its faults are those of [fault.Server], those of
// its webhooks Hooks'. It is safe for concurrent use.
type Server struct {
	*fault.Server
	fault.Book[Message]
	Hooks *fault.Hooks
	// Now is the fake's clock; nil is time.Now. Set it before use.
	Now func() time.Time

	token string

	mu       sync.Mutex
	chats    map[int64]*chat
	answered []string // callback queries

	webhook webhook
	failed  *failed
	pending []update
	next    int64
	polls   int           // counts calls of getUpdates
	changed chan struct{} // closed and made anew when any of the above changes
}

type chat struct {
	name     string
	blocked  bool
	messages int64
}

// Message is one that was accepted.
type Message struct {
	ID        int64 // unique in its chat
	Chat      int64
	Text      string
	ParseMode string
	At        time.Time
}

// New starts the fake of the bot with the token, whose chats are open already; it
// ends with its owner.
func New(o fault.Owner, token string, chats ...int64) *Server {
	s := &Server{token: token, chats: map[int64]*chat{}, next: 870_000_001, changed: make(chan struct{}), Hooks: fault.NewHooks(o)}
	for _, id := range chats {
		s.chat(id)
	}
	s.Server = fault.NewServer(o, http.HandlerFunc(s.serve))
	return s
}

// Count says how often a text was accepted for a chat. Telegram is given no key
// of ours, so this is how a message that went twice is seen.
func (s *Server) Count(chat int64, text string) int { return s.Times()[key(chat, text)] }

// Times counts the accepted messages of each chat and text.
func (s *Server) Times() map[string]int {
	return s.Book.Times(func(m *Message) string { return key(m.Chat, m.Text) })
}

func key(chat int64, text string) string { return strconv.FormatInt(chat, 10) + " " + text }

// Answered returns the callback queries that were answered.
func (s *Server) Answered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.answered)
}

var (
	path      = regexp.MustCompile(`^/bot([^/]+)/([A-Za-z]+)$`)
	tokenForm = regexp.MustCompile(`^\d+:[A-Za-z0-9_-]+$`)
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	part := path.FindStringSubmatch(r.URL.Path)
	if part == nil || !tokenForm.MatchString(part[1]) {
		s.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if part[1] != s.token {
		s.refuse(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	method, ok := methods[strings.ToLower(part[2])]
	if !ok {
		s.refuse(w, http.StatusNotFound, "Not Found: method not found")
		return
	}
	params, err := parameters(r)
	if err != nil {
		s.refuse(w, http.StatusBadRequest, "Bad Request: "+err.Error())
		return
	}
	for name := range params {
		if !slices.Contains(method.params, name) {
			s.refuse(w, http.StatusBadRequest, "Bad Request: "+part[2]+" has no parameter "+name)
			return
		}
	}
	method.do(s, w, r, params)
}

type method struct {
	do     func(*Server, http.ResponseWriter, *http.Request, map[string]string)
	params []string
}

var methods = map[string]method{
	"getme":               {(*Server).getMe, nil},
	"sendmessage":         {(*Server).sendMessage, []string{"chat_id", "text", "parse_mode", "entities", "link_preview_options", "disable_notification", "protect_content", "reply_parameters", "reply_markup", "disable_web_page_preview"}},
	"answercallbackquery": {(*Server).answerCallbackQuery, []string{"callback_query_id", "text", "show_alert", "url", "cache_time"}},
	"getupdates":          {(*Server).getUpdates, []string{"offset", "limit", "timeout", "allowed_updates"}},
	"setwebhook":          {(*Server).setWebhook, []string{"url", "secret_token", "allowed_updates", "max_connections", "drop_pending_updates"}},
	"deletewebhook":       {(*Server).deleteWebhook, []string{"drop_pending_updates"}},
	"getwebhookinfo":      {(*Server).getWebhookInfo, nil},
}

// parameters reads them in each of the forms that the reference allows, as text.
func parameters(r *http.Request) (map[string]string, error) {
	params := map[string]string{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return nil, err
		}
		var values map[string]json.RawMessage
		if err := json.Unmarshal(body, &values); err != nil {
			return nil, err
		}
		for name, raw := range values {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			params[name] = text
		}
		return params, nil
	}
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	for name, values := range r.Form {
		params[name] = values[0]
	}
	return params, nil
}

// me is the number of the bot, which its token begins with.
func (s *Server) me() int64 {
	text, _, _ := strings.Cut(s.token, ":")
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func (s *Server) getMe(w http.ResponseWriter, _ *http.Request, _ map[string]string) {
	answer(w, map[string]any{"id": s.me(), "is_bot": true, "first_name": "Collect", "username": Username, "can_join_groups": true, "supports_inline_queries": false})
}

// sendMessage takes a message, as strictly as the reference is.
func (s *Server) sendMessage(w http.ResponseWriter, _ *http.Request, p map[string]string) {
	id, err := strconv.ParseInt(p["chat_id"], 10, 64)
	text := strings.TrimSpace(p["text"])
	s.mu.Lock()
	c := s.chats[id]
	status, why := 0, ""
	switch {
	case p["chat_id"] == "":
		status, why = http.StatusBadRequest, "Bad Request: chat_id is empty"
	case err != nil, c == nil:
		status, why = http.StatusBadRequest, "Bad Request: chat not found"
	case c.blocked:
		status, why = http.StatusForbidden, "Forbidden: bot was blocked by the user"
	case text == "":
		status, why = http.StatusBadRequest, "Bad Request: message text is empty"
	case len(utf16.Encode([]rune(text))) > 4096:
		status, why = http.StatusBadRequest, "Bad Request: message is too long"
	case p["parse_mode"] != "" && !slices.Contains([]string{"HTML", "Markdown", "MarkdownV2"}, p["parse_mode"]):
		status, why = http.StatusBadRequest, "Bad Request: unsupported parse_mode"
	case p["parse_mode"] == "HTML" && strings.Count(text, "<") != strings.Count(text, ">"):
		status, why = http.StatusBadRequest, "Bad Request: can't parse entities: Unclosed start tag at byte offset "+strconv.Itoa(strings.LastIndex(text, "<"))
	}
	if status != 0 {
		s.mu.Unlock()
		s.refuse(w, status, why)
		return
	}
	c.messages++
	m := Message{ID: c.messages, Chat: id, Text: text, ParseMode: p["parse_mode"], At: s.now()}
	s.tell()
	s.mu.Unlock()
	s.Accept(m)
	answer(w, map[string]any{
		"message_id": m.ID, "date": m.At.Unix(), "text": m.Text, "chat": map[string]any{"id": id, "type": "private", "first_name": c.name},
		"from": map[string]any{"id": s.me(), "is_bot": true, "first_name": "Collect", "username": Username},
	})
}

func (s *Server) answerCallbackQuery(w http.ResponseWriter, _ *http.Request, p map[string]string) {
	if p["callback_query_id"] == "" {
		s.refuse(w, http.StatusBadRequest, "Bad Request: query is too old and response timeout expired or query ID is invalid")
		return
	}
	s.mu.Lock()
	s.answered = append(s.answered, p["callback_query_id"])
	s.mu.Unlock()
	answer(w, true)
}

func (s *Server) refuse(w http.ResponseWriter, status int, description string) {
	s.Refuse(description)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": false, "error_code": status, "description": description})
}

func answer(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": result})
}

func (s *Server) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// tell wakes who waits for a change; the lock is held.
func (s *Server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}
