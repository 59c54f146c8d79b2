package store

import (
	"context"
	"encoding/json"
	"time"

	"carillon/campaign"
)

// SessionFilter narrows a list of sessions.
type SessionFilter struct {
	CampaignID, AgentID, ContactID string
	IntegrationID, Address         string // where a reply came in and from whom
	Status                         campaign.SessionStatus
	Mode                           campaign.Mode
	Outcome                        campaign.CommunicationStatus
}

// InboxFilter narrows the operators' inbox: the open sessions that people have.
type InboxFilter struct {
	CampaignID string
	StageNames []string // any of them: a stage may have been renamed
	Channel    campaign.Channel
	ClaimedID  string    // handled now by the operator with the key
	Claim      string    // "open": handled by nobody now; "claimed": by somebody
	DueBefore  time.Time // not zero: they end before it unless somebody says something
	Now        time.Time
}

// InboxEvent is something from outside a contact must be told exactly once: it
// is committed here before it is acknowledged, and relayed until taken.
type InboxEvent struct {
	ID         string          `json:"id"`
	CampaignID string          `json:"campaign_id"` // filled in from the contact when read
	ContactID  string          `json:"contact_id"`
	SessionID  string          `json:"session_id"`
	Kind       string          `json:"kind"`
	Payload    json.RawMessage `json:"payload"` // a campaign.Event
	// OptOut is the channel on which the event's contact asks to be left alone: its
	// person is suppressed in the transaction that commits the event. "" is none.
	OptOut campaign.Channel `json:"-"`
	At     time.Time        `json:"at"`
}

// Unmatched is an inbox event no running contact could take.
type Unmatched struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	ContactID string    `json:"contact_id"`
	SessionID string    `json:"session_id"`
	Content   string    `json:"content"`
	Reason    string    `json:"reason"`
}

// Note is what an operator wrote about a session, for colleagues.
type Note struct {
	ID        string    `json:"id"`
	SessionID string    `json:"session_id"`
	Author    string    `json:"author"` // whose key wrote it
	Content   string    `json:"content"`
	At        time.Time `json:"at"`
}

// TurnWrite is what an agent made of its turn.
type TurnWrite struct {
	ContactID string
	Key       string // of the turn: it outlives the contact's runs
	Output    json.RawMessage
	SessionID string            // "" while the session is not there yet
	Message   *campaign.Message // the answer; nil says nothing
	State     string            // "" stays
	Results   campaign.Dict     // merged into the session's
	HandOff   bool              // a person is to take over
	Reason    string            // of the hand-off
}

// Sessions keeps sessions, their messages, and the inbox.
type Sessions interface {
	OpenSession(ctx context.Context, s campaign.Session) error                             // idempotent by id
	Session(ctx context.Context, id string) (campaign.Session, error)                      // with its messages
	Sessions(ctx context.Context, f SessionFilter, p Page) (List[campaign.Session], error) // without messages
	UpdateSession(ctx context.Context, id string, change func(*campaign.Session) error) (campaign.Session, error)
	// Inbox lists sessions that wait for a person, those whose contact waits longest
	// first, then those in which it is the contact's turn.
	Inbox(ctx context.Context, f InboxFilter, p Page) (List[campaign.Session], error)
	// HandSession changes an open session as a person does, and commits the event
	// that tells its contact, if given. Of the session's messages change sees the
	// last that did not fail, which stays the last until the commit. In the same transaction a session that
	// leaves its agent gives the agent's place back, and one that returns takes one;
	// a *campaign.Error with CodeConflict if there is none. It returns the contact a
	// freed place was granted to, if one waited.
	HandSession(ctx context.Context, id string, now time.Time, change func(*campaign.Session) (*InboxEvent, error)) (campaign.Session, *Grant, error)
	// CloseSession ends an open session, merges its results, and frees the
	// agent's lease held by its communication in the same transaction; it returns
	// the contact the freed place was granted to, if one waited. The grant is put
	// into the inbox in the same transaction (see Grant.InboxEvent), so it is not
	// lost if the process dies. Closing a closed session changes nothing.
	CloseSession(ctx context.Context, id string, status campaign.SessionStatus, results campaign.Dict, reason string, at time.Time) (granted *Grant, err error)
	AddMessage(ctx context.Context, m campaign.Message) error // idempotent by id
	AddNote(ctx context.Context, n Note) error                // idempotent by id; ErrNotFound without the session
	Notes(ctx context.Context, sessionID string) ([]Note, error)
	// TakeTurn commits what an agent made of its turn, in one transaction and once
	// per key: a repeated call returns the output of the first. ErrConflict if the
	// session is not open, or a person has it. A hand-off gives the agent's place
	// back, and returns the contact it was granted to.
	TakeTurn(ctx context.Context, t TurnWrite) (json.RawMessage, *Grant, error)
	// TurnTaken returns the output under the key, and whether there is one.
	TurnTaken(ctx context.Context, contactID, key string) (json.RawMessage, bool, error)
	MarkMessage(ctx context.Context, id, delivery, providerMessageID, reason string) error
	// RenewMessage has a message that failed, or of which nobody knows, wait for its
	// next attempt; one that is there by now stays as it is.
	RenewMessage(ctx context.Context, id string) error
	MoveMessage(ctx context.Context, id, toSession string) error // no error if there is no such message
	// AddEvent commits an event and, if not nil, the message it carries. It returns
	// what it added to the inbox: the event, and those that end the open sessions its
	// opt-out covers; nothing if the id was there already. guard runs in the
	// transaction on the session.
	AddEvent(ctx context.Context, e InboxEvent, m *campaign.Message, guard func(campaign.Session) error) ([]InboxEvent, error)
	// UntakenEvents returns up to limit events that no contact has taken and that
	// are due for another try, in their order, each after what its contact has not
	// taken of what came before it.
	UntakenEvents(ctx context.Context, before time.Time, limit int) ([]InboxEvent, error)
	// TryEvents counts a delivery of the events; they are due again the later the
	// more there were.
	TryEvents(ctx context.Context, ids []string, now time.Time) error
	TakeEvents(ctx context.Context, ids []string) error
	MarkUnmatched(ctx context.Context, id, reason string) error
	UnmatchedEvents(ctx context.Context, p Page) (List[Unmatched], error)
}
