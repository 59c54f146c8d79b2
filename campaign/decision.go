package campaign

import (
	"encoding/json"
	"time"
)

// DecisionKind names what was decided; the timeline of the REST contract.
type DecisionKind string

// Kinds of decisions.
const (
	DecisionImported       DecisionKind = "imported"
	DecisionPlanned        DecisionKind = "planned"
	DecisionSent           DecisionKind = "sent"
	DecisionSkipped        DecisionKind = "skipped"
	DecisionDeferred       DecisionKind = "deferred"
	DecisionHeld           DecisionKind = "held"
	DecisionFailed         DecisionKind = "failed"
	DecisionUnknown        DecisionKind = "unknown"
	DecisionDelivered      DecisionKind = "delivered"
	DecisionRead           DecisionKind = "read"
	DecisionReplied        DecisionKind = "replied"
	DecisionOptOut         DecisionKind = "opt_out"
	DecisionLinked         DecisionKind = "linked"
	DecisionMessage        DecisionKind = "message"
	DecisionSessionStarted DecisionKind = "session_started"
	DecisionSessionEnded   DecisionKind = "session_ended"
	DecisionStrategyRun    DecisionKind = "strategy_run"
	DecisionStageChanged   DecisionKind = "stage_changed"
	DecisionAttention      DecisionKind = "attention"
	DecisionOperator       DecisionKind = "operator"
	DecisionCompleted      DecisionKind = "completed"
	DecisionStopped        DecisionKind = "stopped"
)

// Decision is one recorded choice about a contact, with its reason.
type Decision struct {
	At      time.Time      `json:"at"`
	Kind    DecisionKind   `json:"kind"`
	Summary string         `json:"summary"`
	Reason  string         `json:"reason,omitempty"`
	Data    map[string]any `json:"data,omitempty"`
}

// MarshalJSON writes data as {} where there is none.
func (d Decision) MarshalJSON() ([]byte, error) {
	type bare Decision
	b := bare(d)
	if b.Data == nil {
		b.Data = map[string]any{}
	}
	return json.Marshal(b)
}
