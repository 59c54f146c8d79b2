// Package openaitest is a language model that is none: a small server of chat
// completions that checks key and request as OpenAI's documents describe them,
// answers by rules, and can be told to misbehave. Only tests import it.
package openaitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Request is what a client sent.
type Request struct {
	Model               string    `json:"model"`
	Messages            []Message `json:"messages"`
	Tools               []Tool    `json:"tools"`
	Temperature         *float64  `json:"temperature"`
	MaxTokens           *int      `json:"max_tokens"`
	MaxCompletionTokens *int      `json:"max_completion_tokens"`
}

// Message is one of a request.
type Message struct {
	Role       string `json:"role"`
	Content    string `json:"content"`
	ToolCalls  []Call `json:"tool_calls"`
	ToolCallID string `json:"tool_call_id"`
}

// Tool is one the model is offered.
type Tool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters"`
	} `json:"function"`
}

// Call is a call of a tool, or what the model is to call.
type Call struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// Calls makes a call of a tool with arguments in JSON.
func Calls(name, arguments string) Call {
	c := Call{Type: "function"}
	c.Function.Name, c.Function.Arguments = name, arguments
	return c
}

// Reply is what the model makes of a request, or how the server fails it.
type Reply struct {
	Say     string
	Calls   []Call
	Refusal string
	Finish  string // "" is stop or tool_calls

	Status int // not 0: an answer with this status and body
	Header map[string]string
	Body   string
	Drop   bool // the connection is closed
	Hang   bool // no answer comes until the caller gives up
}

// Server is the model's server.
type Server struct {
	URL string // its base_url
	// Reply is asked when no other reply was given by Next; nil repeats what the
	// contact said.
	Reply func(Request) Reply
	// Waits, if it is set, is called with every good request before the answer.
	Waits func(Request)

	key, model string

	mu       sync.Mutex
	next     []Reply
	requests []Request
	ids      []string
	answers  int
}

// New starts a server that knows one key and one model.
func New(tb testing.TB, key, model string) *Server {
	tb.Helper()
	s := &Server{key: key, model: model}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	s.URL = server.URL + "/v1"
	return s
}

// Next gives the replies to the next requests, one each.
func (s *Server) Next(replies ...Reply) *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, replies...)
	return s
}

// Requests returns every good request.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// RequestIDs returns what the clients called their requests.
func (s *Server) RequestIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return // the caller went away
	}
	var req Request
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions":
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	case s.key != "" && r.Header.Get("Authorization") != "Bearer "+s.key, s.key == "" && r.Header.Get("Authorization") != "":
		problem(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		return
	case r.Header.Get("Idempotency-Key") != "":
		problem(w, http.StatusBadRequest, "", "Unknown header: Idempotency-Key")
		return
	case json.Unmarshal(body, &req) != nil:
		problem(w, http.StatusBadRequest, "", "We could not parse the JSON body of your request.")
		return
	case req.Model != s.model:
		problem(w, http.StatusNotFound, "model_not_found", "The model does not exist or you do not have access to it.")
		return
	}
	if wrong := check(&req); wrong != "" {
		problem(w, http.StatusBadRequest, "invalid_request", wrong)
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, req)
	s.ids = append(s.ids, r.Header.Get("X-Client-Request-Id"))
	reply := s.reply(&req)
	s.answers++
	n := s.answers
	s.mu.Unlock()
	if s.Waits != nil {
		s.Waits(req)
	}
	reply.serve(w, r, req.Model, n)
}

// check says what OpenAI would refuse of a request, and the chat templates of
// other servers: roles that do not alternate.
func check(r *Request) string {
	if r.MaxTokens != nil && r.MaxCompletionTokens != nil {
		return "max_tokens and max_completion_tokens cannot both be set"
	}
	open := map[string]bool{}
	last := ""
	for i, m := range r.Messages {
		switch {
		case m.Role == "system" && i == 0:
		case m.Role == "system":
			return "a system message must be the first"
		case m.Role == "tool":
			if !open[m.ToolCallID] {
				return fmt.Sprintf("messages[%d]: a tool message must follow its tool call", i)
			}
			delete(open, m.ToolCallID)
		case len(open) > 0:
			return fmt.Sprintf("messages[%d]: tool calls are not answered", i)
		case m.Role == "user" && last == "user", m.Role == "assistant" && last != "user" && last != "tool":
			return fmt.Sprintf("messages[%d]: roles must alternate, and the user begins", i)
		case m.Content == "" && len(m.ToolCalls) == 0:
			return fmt.Sprintf("messages[%d]: it is empty", i)
		case m.Role != "user" && m.Role != "assistant":
			return fmt.Sprintf("messages[%d]: there is no role %q", i, m.Role)
		}
		for _, c := range m.ToolCalls {
			if c.ID == "" || c.Type != "function" || !json.Valid([]byte(c.Function.Arguments)) {
				return fmt.Sprintf("messages[%d]: a tool call has no id, type or arguments in JSON", i)
			}
			open[c.ID] = true
		}
		last = m.Role
	}
	for _, t := range r.Tools {
		if t.Type != "function" || t.Function.Name == "" || t.Function.Parameters["type"] != "object" {
			return "tools: a function needs a name and parameters that are an object"
		}
	}
	if len(r.Messages) < 2 || last != "user" && last != "tool" {
		return "messages: the user or a tool must speak last"
	}
	return ""
}

func (s *Server) reply(r *Request) Reply {
	if len(s.next) > 0 {
		out := s.next[0]
		s.next = s.next[1:]
		return out
	}
	if s.Reply != nil {
		return s.Reply(*r)
	}
	return Reply{Say: "You said: " + r.Messages[len(r.Messages)-1].Content}
}

func (p Reply) serve(w http.ResponseWriter, r *http.Request, model string, n int) {
	p.Calls = slices.Clone(p.Calls)
	switch {
	case p.Hang:
		<-r.Context().Done()
		return
	case p.Drop:
		panic(http.ErrAbortHandler)
	}
	for name, value := range p.Header {
		w.Header().Set(name, value)
	}
	if p.Status != 0 {
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(p.Status)
		_, _ = io.WriteString(w, p.Body)
		return
	}
	message := map[string]any{"role": "assistant", "content": p.Say, "refusal": nil}
	finish := "stop"
	if p.Refusal != "" {
		message["content"], message["refusal"] = nil, p.Refusal
	}
	if len(p.Calls) > 0 {
		finish = "tool_calls"
		for i := range p.Calls {
			if p.Calls[i].ID == "" {
				p.Calls[i].ID = fmt.Sprintf("call_%d_%d", n, i)
			}
		}
		message["tool_calls"] = p.Calls
	}
	if p.Finish != "" {
		finish = p.Finish
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": fmt.Sprintf("chatcmpl-%d", n), "object": "chat.completion", "created": 1764000000, "model": model,
		"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": finish, "logprobs": nil}},
		"usage":   map[string]any{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
	})
}

func problem(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": "invalid_request_error", "param": nil, "code": code}})
}
