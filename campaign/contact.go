package campaign

import (
	"encoding/json"
	"slices"
	"time"
)

// Limits of a contact.
const (
	MaxKeyBytes       = 200       // object_id and external_id, each
	MaxContactBytes   = 64 * 1024 // the whole document as JSON
	MaxCommunications = 200
)

// ContactStatus says where a contact is in its life.
type ContactStatus string

// The life of a contact.
const (
	ContactPending        ContactStatus = "pending"         // imported, no workflow yet
	ContactActive         ContactStatus = "active"          // its workflow runs
	ContactCompleted      ContactStatus = "completed"       // reached its end
	ContactNeedsAttention ContactStatus = "needs_attention" // a person must decide
	ContactStopped        ContactStatus = "stopped"         // ended by an operator
)

// Ended reports whether nothing more happens to the contact by itself.
func (s ContactStatus) Ended() bool { return s == ContactCompleted || s == ContactStopped }

// Outcome is how a campaign ended for a contact; "" is null in JSON.
type Outcome string

// The outcomes.
const (
	OutcomeNone    Outcome = ""
	OutcomeSuccess Outcome = "success"
	OutcomeFailure Outcome = "failure"
)

// Valid reports whether the outcome is one of the three.
func (o Outcome) Valid() bool { return o == OutcomeNone || o == OutcomeSuccess || o == OutcomeFailure }

// MarshalJSON writes null for no outcome.
func (o Outcome) MarshalJSON() ([]byte, error) {
	if o == OutcomeNone {
		return []byte("null"), nil
	}
	return json.Marshal(string(o))
}

// Hold says what outside the contact keeps it waiting, and since when.
type Hold struct {
	Cause string    `json:"cause"`
	Ref   string    `json:"ref,omitempty"` // id of the campaign, stage, integration or agent
	Since time.Time `json:"since"`
}

// Attention says why a person must look at the contact, and at what.
type Attention struct {
	Reason          string    `json:"reason"`
	Detail          string    `json:"detail"`
	CommunicationID string    `json:"communication_id,omitempty"`
	Since           time.Time `json:"since"`

	// Of a message inside a session.
	SessionID string `json:"session_id,omitempty"`
	MessageID string `json:"message_id,omitempty"`
	Attempt   int    `json:"attempt,omitempty"` // how often a person has had it sent again

	More []Attention `json:"more,omitempty"` // what else a person must look at, after this
}

// Counts are the messages of a contact.
type Counts struct {
	Sent     int `json:"sent"`
	Received int `json:"received"`
}

// Contact is a person in one campaign, with the plan made for it.
type Contact struct {
	ID         string `json:"id"`
	CampaignID string `json:"campaign_id"`
	ObjectID   string `json:"object_id"`
	ExternalID string `json:"external_id"`

	Name           string `json:"name"`
	Email          string `json:"email"`
	Phone          string `json:"phone"`
	Timezone       string `json:"timezone"`
	Language       string `json:"language"`
	TelegramChatID string `json:"telegram_chat_id"`

	Parameters   Dict `json:"parameters"`
	Results      Dict `json:"results"`
	InternalData Dict `json:"internal_data"`

	CurrentStage   string          `json:"current_stage"`
	Communications []Communication `json:"communications"`
	Outcome        Outcome         `json:"outcome"`
	Status         ContactStatus   `json:"status"`
	Held           *Hold           `json:"held"`
	Attention      *Attention      `json:"attention"`
	Idle           bool            `json:"idle"`
	Paused         bool            `json:"paused"`
	NextActionAt   *time.Time      `json:"next_action_at"`
	Counts         Counts          `json:"counts"`

	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	StartedAt *time.Time `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
}

// Communication returns the communication with the id, or nil.
func (c *Contact) Communication(id string) *Communication {
	for i := range c.Communications {
		if c.Communications[i].ID == id {
			return &c.Communications[i]
		}
	}
	return nil
}

// Next returns the planned communication that is due first, or nil. Equal
// dates keep the order in which they were planned.
func (c *Contact) Next() *Communication {
	var next *Communication
	for i := range c.Communications {
		m := &c.Communications[i]
		if m.Status.Status == CommunicationPlanned && (next == nil || m.StartDate.Before(next.StartDate)) {
			next = m
		}
	}
	return next
}

// Attempts counts the communications that were dispatched: those that are not
// planned, canceled or skipped.
func (c *Contact) Attempts() int {
	n := 0
	for i := range c.Communications {
		switch c.Communications[i].Status.Status {
		case CommunicationPlanned, CommunicationCanceled, CommunicationSkipped:
		default:
			n++
		}
	}
	return n
}

// Clone copies the contact deeply enough that neither copy sees a change of
// the other.
func (c Contact) Clone() Contact {
	c.Parameters, c.Results, c.InternalData = c.Parameters.Clone(), c.Results.Clone(), c.InternalData.Clone()
	c.Communications = slices.Clone(c.Communications)
	return c
}

// CheckSize reports a document that is over the limits.
func (c *Contact) CheckSize() error {
	if n := len(c.Communications); n > MaxCommunications {
		return Invalid("communications", "%d communications; the limit is %d", n, MaxCommunications)
	}
	b, err := json.Marshal(c)
	if err != nil {
		return Invalid("contact", "cannot be written as JSON: %v", err)
	}
	if len(b) > MaxContactBytes {
		return Invalid("contact", "the contact is %d bytes as JSON; the limit is %d", len(b), MaxContactBytes)
	}
	return nil
}

// bytes estimates the document's size as JSON from above, without writing it:
// a fixed part, and per communication one, for everything but the dictionaries.
func (c *Contact) bytes() int {
	const document, communication = 2 << 10, 768
	n := document + c.Parameters.bytes() + c.Results.bytes() + c.InternalData.bytes()
	for i := range c.Communications {
		n += communication + c.Communications[i].Params.bytes() + c.Communications[i].Results.bytes()
	}
	return n
}
