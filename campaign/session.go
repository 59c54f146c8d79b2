package campaign

import "time"

// SessionStatus is how a session stands; open, then one of the fourteen ends.
type SessionStatus string

// Session statuses.
const (
	SessionOpen                SessionStatus = "open"
	SessionCompleted           SessionStatus = "completed"
	SessionResolvedByOperator  SessionStatus = "resolved_by_operator"
	SessionEscalatedByOperator SessionStatus = "escalated_by_operator"
	SessionTransferred         SessionStatus = "transferred"
	SessionNotAnswered         SessionStatus = "not_answered"
	SessionDeclined            SessionStatus = "declined"
	SessionBusy                SessionStatus = "busy"
	SessionUserTimeout         SessionStatus = "user_timeout"
	SessionTimeout             SessionStatus = "timeout"
	SessionNotFound            SessionStatus = "not_found"
	SessionFailed              SessionStatus = "failed"
	SessionNetworkError        SessionStatus = "network_error"
	SessionCanceled            SessionStatus = "canceled"
	SessionUnknown             SessionStatus = "unknown"
)

// SessionEnds lists the fourteen ways a session can end.
var SessionEnds = []SessionStatus{
	SessionCompleted, SessionResolvedByOperator, SessionEscalatedByOperator, SessionTransferred,
	SessionNotAnswered, SessionDeclined, SessionBusy, SessionUserTimeout, SessionTimeout, SessionNotFound,
	SessionFailed, SessionNetworkError, SessionCanceled, SessionUnknown,
}

// Ended reports whether the status is one of the fourteen ends.
func (s SessionStatus) Ended() bool { return s.RollUp() != "" }

// RollUp returns the communication's outcome for an ended session, or "".
func (s SessionStatus) RollUp() CommunicationStatus {
	switch s {
	case SessionCompleted, SessionResolvedByOperator, SessionEscalatedByOperator, SessionTransferred:
		return CommunicationCompleted
	case SessionNotAnswered, SessionDeclined, SessionBusy, SessionUserTimeout, SessionTimeout, SessionNotFound:
		return CommunicationNoResponse
	case SessionFailed, SessionNetworkError, SessionCanceled, SessionUnknown:
		return CommunicationFailed
	default:
		return ""
	}
}

// Mode says who speaks for us in a session.
type Mode string

// Modes.
const (
	ModeAI      Mode = "ai"
	ModeHuman   Mode = "human"
	ModeCopilot Mode = "copilot"
)

// Author says who wrote a message.
type Author string

// Authors.
const (
	AuthorContact  Author = "contact"
	AuthorAgent    Author = "agent"
	AuthorOperator Author = "operator"
)

// Session is one conversation opened by a communication.
type Session struct {
	ID              string        `json:"id"`
	CampaignID      string        `json:"campaign_id"`
	ContactID       string        `json:"contact_id"`
	CommunicationID string        `json:"communication_id"`
	StageName       string        `json:"stage_name"`
	AgentID         string        `json:"agent_id"`
	IntegrationID   string        `json:"integration_id"`
	Channel         Channel       `json:"channel"`
	Address         string        `json:"address"`
	Mode            Mode          `json:"mode"`
	State           string        `json:"state"`
	Status          SessionStatus `json:"status"`
	Reason          string        `json:"reason"`
	Late            bool          `json:"late"`
	Results         Dict          `json:"results"`
	Messages        []Message     `json:"messages"`
	CreatedAt       time.Time     `json:"created_at"`
	LastMessageAt   *time.Time    `json:"last_message_at"`
	EndedAt         *time.Time    `json:"ended_at"`
	ClaimedBy       string        `json:"claimed_by,omitempty"` // the operator who handles it, by name
	ClaimedID       string        `json:"claimed_id,omitempty"` // of their key: names may be alike
	ClaimedUntil    *time.Time    `json:"claimed_until,omitempty"`
	Timeout         Duration      `json:"timeout,omitempty"`       // how long it waits for either side
	WaitingSince    *time.Time    `json:"waiting_since,omitempty"` // since when the contact waits for a person
	DueAt           *time.Time    `json:"due_at,omitempty"`        // when it ends unless somebody says something; see Due
}

// Claimed reports whether an operator handles the session at the moment.
func (s *Session) Claimed(now time.Time) bool {
	return s.ClaimedBy != "" && s.ClaimedUntil != nil && s.ClaimedUntil.After(now)
}

// ClaimedByOther reports whether somebody with another key handles the session at
// the moment.
func (s *Session) ClaimedByOther(keyID string, now time.Time) bool {
	return s.ClaimedID != keyID && s.Claimed(now)
}

// Claim gives the session to an operator until a moment; with "" nobody handles it.
func (s *Session) Claim(name, keyID string, until time.Time) {
	s.ClaimedBy, s.ClaimedID, s.ClaimedUntil = name, keyID, nil
	if name != "" {
		s.ClaimedUntil = &until
	}
}

// Wait counts the session's wait anew from a moment.
func (s *Session) Wait(from time.Time) {
	if s.Timeout > 0 {
		due := from.Add(time.Duration(s.Timeout))
		s.DueAt = &due
	}
}

// Due returns when an open session ends unless somebody says something; nil if it
// has ended or never does. While it is claimed it does not end. A pause and a turn
// of the agent put it off, of which the session knows nothing.
func (s *Session) Due() *time.Time {
	switch {
	case s.Status != SessionOpen || s.DueAt == nil:
		return nil
	case s.ClaimedUntil != nil && s.ClaimedUntil.After(*s.DueAt):
		return s.ClaimedUntil
	default:
		return s.DueAt
	}
}

// Message is one utterance inside a session.
type Message struct {
	ID                string    `json:"id"`
	SessionID         string    `json:"session_id,omitempty"`
	Author            Author    `json:"author"`
	Content           string    `json:"content"`
	At                time.Time `json:"at"`
	Delivery          string    `json:"delivery,omitempty"` // pending, sent, delivered, read, failed, unknown
	ProviderMessageID string    `json:"provider_message_id,omitempty"`
	Reason            string    `json:"reason,omitempty"` // why it waits, failed, or nobody knows
}
