package campaign

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Secret is a text that never shows: not in JSON, not in logs, not in %v.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalJSON hides the secret.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// AgentKind says who or what an agent is.
type AgentKind string

// Agent kinds.
const (
	AgentScripted AgentKind = "scripted"
	AgentOpenAI   AgentKind = "openai"
	AgentWebhook  AgentKind = "webhook"
	AgentExternal AgentKind = "external" // answers come through POST /v1/sessions/{id}/answers
)

// AgentKinds lists the kinds.
var AgentKinds = []AgentKind{AgentScripted, AgentOpenAI, AgentWebhook, AgentExternal}

// AgentStatus says whether an agent takes conversations.
type AgentStatus string

// Agent statuses.
const (
	AgentStopped AgentStatus = "stopped"
	AgentRunning AgentStatus = "running"
	AgentError   AgentStatus = "error" // it runs, and gives no answers: it is asked again until it does
)

// Runs reports whether the agent takes conversations: one in error is asked on.
func (s AgentStatus) Runs() bool { return s == AgentRunning || s == AgentError }

// Agent is who talks in a session.
type Agent struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Kind          AgentKind         `json:"kind"`
	Status        AgentStatus       `json:"status"`
	StatusMessage string            `json:"status_message"`
	Instructions  string            `json:"instructions"`
	States        []AgentState      `json:"states"`
	ResultFields  []ResultField     `json:"result_fields"`
	Integrations  map[string]string `json:"integrations"` // channel to integration id
	MaxSessions   *int              `json:"max_sessions"` // nil is unlimited
	DailySessions *int              `json:"daily_sessions"`
	Settings      map[string]string `json:"settings"`
	SecretNames   []string          `json:"secret_names"`
	Version       int               `json:"version"`
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
}

// Turns says how an agent comes to speak.
type Turns string

// How turns are given.
const (
	TurnsNone Turns = ""     // it answers by itself, through the REST API
	TurnsHere Turns = "here" // in some milliseconds, in place
	TurnsAway Turns = "away" // by an activity of its own
)

// AgentState is one state of an agent's conversation.
type AgentState struct {
	Name         string       `json:"name"`
	Instructions string       `json:"instructions,omitempty"`
	Start        bool         `json:"start,omitempty"`
	Say          string       `json:"say,omitempty" doc:"Of a scripted agent: how it opens a session in this state, in Liquid."`
	Replies      []AgentReply `json:"replies,omitempty" doc:"Of a scripted agent: the first that matches is taken. Those of the state * count in every state."`
}

// AgentReply is what a scripted agent answers to a message.
type AgentReply struct {
	Match   []string      `json:"match,omitempty" doc:"Words or phrases, or /regular expressions/; any of them. None: when nothing else matches."`
	Say     string        `json:"say,omitempty" doc:"What it answers, in Liquid; nothing if empty."`
	State   string        `json:"state,omitempty" doc:"The state it goes to; it stays if empty."`
	Results Dict          `json:"results,omitempty" doc:"What it has found out. The text $1 is what the first group of the expression matched, $0 all of the message that matched."`
	End     SessionStatus `json:"end,omitempty" doc:"Ends the session after the answer, in one of the fourteen ways."`
	HandOff bool          `json:"hand_off,omitempty" doc:"A person takes the session over after the answer."`
	Reason  string        `json:"reason,omitempty" doc:"Of the end or the hand-off."`
}

// TextInput is what an agent's text is written from.
type TextInput struct {
	Campaign      Campaign
	Contact       Contact
	Communication Communication
	Now           time.Time
	Also          Dict // further variables, such as message
}

// Validate reports every field that breaks a rule.
func (a *Agent) Validate() error {
	var p problems
	if strings.TrimSpace(a.Name) == "" {
		p.add("name", "an agent needs a name")
	}
	if !slices.Contains(AgentKinds, a.Kind) {
		p.add("kind", "%q is not scripted, openai, webhook or external", a.Kind)
	}
	if a.MaxSessions != nil && *a.MaxSessions < 1 {
		p.add("max_sessions", "at least 1, or null for unlimited")
	}
	if a.DailySessions != nil && *a.DailySessions < 1 {
		p.add("daily_sessions", "at least 1, or null for unlimited")
	}
	for ch := range a.Integrations {
		if !Channel(ch).Valid() {
			p.add("integrations."+ch, "no such channel")
		}
	}
	return p.err("agent")
}

// Integration is the credentials for a channel's provider.
type Integration struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Provider      string            `json:"provider"`
	Settings      map[string]string `json:"settings"`
	SecretNames   []string          `json:"secret_names"`
	RatePerSecond float64           `json:"rate_per_second"`
	Paused        bool              `json:"paused"`
	Status        string            `json:"status"` // ok, error
	StatusMessage string            `json:"status_message"`
	Version       int               `json:"version"`
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
}

// Providers lists the companies and the built-in one behind the channels.
var Providers = []string{"outbox", "sendgrid", "smtp", "meta", "bird", "telegram", "twilio", "sip"}

// Validate reports every field that breaks a rule.
func (i *Integration) Validate() error {
	var p problems
	if strings.TrimSpace(i.Name) == "" {
		p.add("name", "an integration needs a name")
	}
	if !slices.Contains(Providers, i.Provider) {
		p.add("provider", "%q is not one of %s", i.Provider, strings.Join(Providers, ", "))
	}
	if i.RatePerSecond < 0 {
		p.add("rate_per_second", "not below 0; 0 is no limit")
	}
	return p.err("integration")
}
