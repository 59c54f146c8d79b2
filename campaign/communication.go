package campaign

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// CommunicationStatus is how far one planned touch has come.
type CommunicationStatus string

// On the way, in order.
const (
	CommunicationPlanned   CommunicationStatus = "PLANNED"
	CommunicationStarted   CommunicationStatus = "STARTED"
	CommunicationSent      CommunicationStatus = "SENT"
	CommunicationDelivered CommunicationStatus = "DELIVERED"
	CommunicationRead      CommunicationStatus = "READ"
	CommunicationReplied   CommunicationStatus = "REPLIED"
)

// Final.
const (
	CommunicationCompleted  CommunicationStatus = "COMPLETED"
	CommunicationNoResponse CommunicationStatus = "NO_RESPONSE"
	CommunicationFailed     CommunicationStatus = "FAILED"
	CommunicationCanceled   CommunicationStatus = "CANCELED"
	CommunicationSkipped    CommunicationStatus = "SKIPPED"
)

// rank orders the statuses on the way; final ones have none.
func (s CommunicationStatus) rank() int {
	switch s {
	case CommunicationPlanned:
		return 1
	case CommunicationStarted:
		return 2
	case CommunicationSent:
		return 3
	case CommunicationDelivered:
		return 4
	case CommunicationRead:
		return 5
	case CommunicationReplied:
		return 6
	default:
		return 0
	}
}

// Final reports whether the communication has ended.
func (s CommunicationStatus) Final() bool {
	switch s {
	case CommunicationCompleted, CommunicationNoResponse, CommunicationFailed, CommunicationCanceled, CommunicationSkipped:
		return true
	default:
		return false
	}
}

// Valid reports whether the status is one of the eleven.
func (s CommunicationStatus) Valid() bool { return s.rank() > 0 || s.Final() }

// StatusAt is a status with its moment and its reason.
type StatusAt struct {
	Status CommunicationStatus `json:"status"`
	At     time.Time           `json:"at"`
	Reason string              `json:"reason"`
}

// UnmarshalJSON also accepts the bare status, as a strategy may write it.
func (s *StatusAt) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*s = StatusAt{}
		return json.Unmarshal(b, &s.Status)
	}
	type bare StatusAt
	return json.Unmarshal(b, (*bare)(s))
}

// Communication is one planned touch: a stage at a date, and what became of it.
type Communication struct {
	ID                string     `json:"id"`
	Name              string     `json:"name"`
	StageName         string     `json:"stage_name"`
	StageID           string     `json:"stage_id"`
	StartDate         time.Time  `json:"start_date"`
	Timeout           Duration   `json:"timeout"`
	ExpiresAt         *time.Time `json:"expires_at"`
	StartState        string     `json:"start_state"`
	Params            Dict       `json:"params"`
	Status            StatusAt   `json:"status"`
	Flagged           bool       `json:"flagged"`
	Channel           Channel    `json:"channel"`
	Alternative       string     `json:"alternative"`
	SessionID         string     `json:"session_id"`
	ProviderMessageID string     `json:"provider_message_id"`
	Results           Dict       `json:"results"`
	Attempt           int        `json:"attempt"`
}

// advance moves the status forward on the way; it never moves back, never
// touches an ended communication, and takes a planned one to STARTED only:
// nobody would wait for the end of one that was not dispatched. It reports
// whether anything changed.
func (m *Communication) advance(to CommunicationStatus, at time.Time) bool {
	if m.Status.Status.Final() || to.rank() <= m.Status.Status.rank() ||
		m.Status.Status == CommunicationPlanned && to != CommunicationStarted {
		return false
	}
	m.Status = StatusAt{Status: to, At: at}
	return true
}

// SendID is the id of the communication's row in the ledger: one per operator's
// retry, so only a person can have a message of unknown outcome sent again.
func (m *Communication) SendID() string {
	if m.Attempt > 0 {
		return fmt.Sprintf("%s#%d", m.ID, m.Attempt+1)
	}
	return m.ID
}

// opening reports whether a message opened the communication: its id is the
// communication's own, with "#n" from the n-th retry on.
func (m *Communication) opening(messageID string) bool {
	return messageID == m.ID || strings.HasPrefix(messageID, m.ID+"#")
}

func (m *Communication) end(as CommunicationStatus, at time.Time, reason string) {
	m.Status = StatusAt{Status: as, At: at, Reason: reason}
}
