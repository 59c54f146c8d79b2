package campaign

import (
	"strings"
	"time"
	"unicode"
)

// StrategyType says when a strategy runs.
type StrategyType string

// The three types.
const (
	DataLoad    StrategyType = "data_load"    // when a contact is imported
	Aggregation StrategyType = "aggregation"  // after a communication ended
	AgentAnswer StrategyType = "agent_answer" // after each answer of the agent
)

// Valid reports whether the type is one of the three.
func (t StrategyType) Valid() bool { return t == DataLoad || t == Aggregation || t == AgentAnswer }

// DefaultFunction is the function the manual's snippets define.
func (t StrategyType) DefaultFunction() string {
	if t == AgentAnswer {
		return "on_agent_answer"
	}
	return "run"
}

// MaxStrategyBytes bounds a strategy's code.
const MaxStrategyBytes = 256 * 1024

// Strategy is Python that decides; every save is a new immutable version.
type Strategy struct {
	ID         string       `json:"id"`
	CampaignID string       `json:"campaign_id"`
	Name       string       `json:"name"`
	Type       StrategyType `json:"type"`
	Function   string       `json:"function"`
	Code       string       `json:"code"`
	Network    bool         `json:"network"`
	Version    int          `json:"version"`
	Hash       string       `json:"hash"`
	Slow       bool         `json:"slow"` // a run of this version has exceeded 500 ms
	// Quarantined says that this version ended too many processes: nobody runs it again.
	Quarantined bool      `json:"quarantined"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// Validate reports every field that breaks a rule.
func (s *Strategy) Validate() error {
	var p problems
	if strings.TrimSpace(s.Name) == "" {
		p.add("name", "a strategy needs a name")
	}
	if !s.Type.Valid() {
		p.add("type", "%q is not data_load, aggregation or agent_answer", s.Type)
	}
	if strings.ContainsFunc(s.Function, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		p.add("function", "%q is not the name of a function", s.Function)
	}
	if strings.TrimSpace(s.Code) == "" {
		p.add("code", "a strategy needs its code")
	}
	if len(s.Code) > MaxStrategyBytes {
		p.add("code", "%d bytes; the limit is %d", len(s.Code), MaxStrategyBytes)
	}
	return p.err("strategy")
}

// StrategyError is how a strategy failed, as its author sees it.
type StrategyError struct {
	Kind      string `json:"kind"`
	Type      string `json:"type,omitempty"`
	Message   string `json:"message"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Traceback string `json:"traceback,omitempty"`
}

// LogLine is one line a strategy logged or printed.
type LogLine struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

// StrategyRun is the record of one run.
type StrategyRun struct {
	ID         string         `json:"id"`
	At         time.Time      `json:"at"`
	CampaignID string         `json:"campaign_id"`
	ContactID  string         `json:"contact_id"`
	StrategyID string         `json:"strategy_id"`
	Type       StrategyType   `json:"type"`
	Version    int            `json:"version"`
	Status     string         `json:"status"` // ok or error
	DurationMS int64          `json:"duration_ms"`
	Logs       []LogLine      `json:"logs"`
	Error      *StrategyError `json:"error"`
}
