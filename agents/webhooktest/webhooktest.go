// Package webhooktest is the other side of a webhook agent: a small system that
// is asked over HTTP, checks every signature, keeps its answers by the turn's id
// and can be told to misbehave. It was written from docs/agents.md, apart from
// package webhook, so that one mistake cannot hide in both. Only tests import it.
package webhooktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Turn is what the system reads of a turn.
type Turn struct {
	Type    string `json:"type"`
	ID      string `json:"turn_id"`
	Session struct {
		ID       string    `json:"id"`
		Channel  string    `json:"channel"`
		State    string    `json:"state"`
		Messages []Message `json:"messages"`
		Earlier  int       `json:"earlier"`
	} `json:"session"`
	Contact struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters"`
	} `json:"contact"`
	Said []Message `json:"said"`
}

// Message is one utterance of a turn.
type Message struct {
	Author  string `json:"author"`
	Content string `json:"content"`
}

// Fault is one request that goes wrong.
type Fault struct {
	Status int
	Header map[string]string
	Body   string
	Drop   bool   // the connection is closed after the request was read
	Hang   bool   // no answer comes until the caller gives up
	Wait   func() // if it is set, called before the answer
}

// Server is the system.
type Server struct {
	URL string
	// Answer is what it makes of a turn; it is asked once for each turn's id, and
	// nil says 204. nil itself repeats what was said.
	Answer func(Turn) map[string]any
	// Waits, if it is set, is called with every good turn before the answer.
	Waits func(Turn)

	key []byte
	tb  testing.TB

	mu     sync.Mutex
	kept   map[string]map[string]any
	asked  map[string]int
	turns  []Turn
	faults []Fault
}

// New starts a system that shares a key with the agent: a text, or whsec_ and
// base64.
func New(tb testing.TB, key string) *Server {
	tb.Helper()
	s := &Server{key: []byte(key), tb: tb, kept: map[string]map[string]any{}, asked: map[string]int{}}
	if rest, ok := strings.CutPrefix(key, "whsec_"); ok {
		raw, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			tb.Fatal("the key is not base64")
		}
		s.key = raw
	}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	s.URL = server.URL + "/turns"
	return s
}

// Fail makes the next requests go wrong, one each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Asked returns how many good requests carried a turn's id.
func (s *Server) Asked(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[id]
}

// Turns returns every turn that was asked with a good signature, repeated ones too.
func (s *Server) Turns() []Turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Turn(nil), s.turns...)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return // the caller went away
	}
	if f, ok := s.fault(); ok {
		f.serve(w, r)
		return
	}
	var t Turn
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/turns":
		http.Error(w, "no such thing", http.StatusNotFound)
	case r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &t) != nil:
		http.Error(w, "not JSON", http.StatusBadRequest)
	case !s.signed(r.Header, body):
		http.Error(w, "not signed", http.StatusUnauthorized)
	case t.Type != "agent.turn" || t.ID == "" || t.ID != r.Header.Get("Webhook-Id"):
		http.Error(w, "not a turn", http.StatusUnprocessableEntity)
	default:
		s.reply(w, t)
	}
}

// signed checks a signature: the header may hold several, of which one counts.
func (s *Server) signed(h http.Header, body []byte) bool {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || math.Abs(time.Since(time.Unix(seconds, 0)).Minutes()) > 5 {
		return false
	}
	mac := hmac.New(sha256.New, s.key)
	_, _ = io.WriteString(mac, id+"."+stamp+"."+string(body))
	for _, one := range strings.Fields(h.Get("webhook-signature")) {
		version, text, _ := strings.Cut(one, ",")
		given, err := base64.StdEncoding.DecodeString(text)
		if err == nil && version == "v1" && hmac.Equal(given, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

// reply answers a turn, a repeated one as it did before.
func (s *Server) reply(w http.ResponseWriter, t Turn) {
	s.mu.Lock()
	s.turns = append(s.turns, t)
	s.asked[t.ID]++
	answer, known := s.kept[t.ID]
	if !known {
		answer = s.make(t)
		s.kept[t.ID] = answer
	}
	s.mu.Unlock()
	if s.Waits != nil {
		s.Waits(t)
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) make(t Turn) map[string]any {
	if s.Answer != nil {
		return s.Answer(t)
	}
	var words []string
	for _, m := range t.Said {
		words = append(words, m.Content)
	}
	if len(words) == 0 {
		return map[string]any{"content": "Hello " + t.Contact.Name}
	}
	return map[string]any{"content": "You said: " + strings.Join(words, ", ")}
}

func (s *Server) fault() (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return Fault{}, false
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f, true
}

func (f Fault) serve(w http.ResponseWriter, r *http.Request) {
	if f.Hang {
		<-r.Context().Done()
		return
	}
	if f.Wait != nil {
		f.Wait()
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
}
