// Package strategies runs the Python that campaign owners write: a pool of sandboxed CPython processes, each serving one
// campaign, that survive whatever the code does. A contact travels as the JSON it is stored as; the package does not
// look into it. What goes in and what may come out is told to authors in docs/strategies.md.
//
// The promise is at least once: a call whose worker died for a neighbour's fault runs again. It must not import
// anything of ours but campaign, and needs no service.
package strategies

import (
	"encoding/json"
	"time"
)

// Type says when a strategy runs and which arguments it gets.
type Type string

// The three types.
const (
	DataLoad    Type = "data_load"    // (contact, existing_contact, logger)
	Aggregation Type = "aggregation"  // (contact, session_results, logger)
	AgentAnswer Type = "agent_answer" // (contact, message); may return None
)

// Valid says whether t is one of the three.
func (t Type) Valid() bool {
	switch t {
	case DataLoad, Aggregation, AgentAnswer:
		return true
	default:
		return false
	}
}

// Source is one immutable version of a strategy's code.
type Source struct {
	Key      string // unique per campaign and version: a content hash
	Type     Type
	Function string
	Filename string // as errors name it; "strategy.py" if empty
	Code     string
	// Quarantined says that this version is known to have ended too many processes, here or elsewhere: it is refused.
	Quarantined bool
}

// Job says what to run, for whom and within which limits.
type Job struct {
	CampaignID string
	Timezone   string // IANA, of the campaign; UTC if empty
	Source     Source
	Network    bool          // through the pool's proxy, if it has one
	Deadline   time.Duration // of each call; 0 is the pool's, for data_load at most 10 s
	// Kwargs is a JSON object that all calls share, decoded once per batch: campaign, stages, secrets, rules, holidays.
	// A call's own kwargs win.
	Kwargs json.RawMessage
}

// Call is one run for one contact. Empty JSON means absent.
type Call struct {
	Contact        json.RawMessage
	Existing       json.RawMessage // data_load
	SessionResults json.RawMessage // aggregation
	Message        json.RawMessage // agent_answer
	Kwargs         json.RawMessage // communication_id, session, idempotency_key and whatever else the author shall see
	Now            time.Time       // what datetime.now() is; the zero time is the present
}

// Log is one line the strategy logged ("debug", "info", "warning", "error") or printed ("print").
type Log struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

// Result is what became of a call: either Err is set, or Contact, or neither, which means no change.
type Result struct {
	Contact  json.RawMessage
	Logs     []Log
	Duration time.Duration
	Err      *Error
}
