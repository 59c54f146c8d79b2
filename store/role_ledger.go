package store

import (
	"context"
	"encoding/json"
	"time"

	"carillon/campaign"
)

// Send states.
const (
	SendSending = "sending"
	SendSent    = "sent"
	SendFailed  = "failed"
	SendUnknown = "unknown"
	SendRetry   = "retry" // surely not sent; the next attempt may claim it again
)

// Send is the ledger's row of one outbound message. It is committed as
// "sending" before the provider is called and settled after.
type Send struct {
	ID                string           `json:"id"` // communication id (with "#n" from an operator's n-th retry on) or message id
	ContactID         string           `json:"contact_id"`
	CampaignID        string           `json:"campaign_id"`
	CommunicationID   string           `json:"communication_id"`
	SessionID         string           `json:"session_id"`
	IntegrationID     string           `json:"integration_id"`
	Channel           campaign.Channel `json:"channel"`
	State             string           `json:"state"`
	Address           string           `json:"address"`
	PayloadHash       string           `json:"payload_hash"`
	CorrelationKey    string           `json:"correlation_key"`
	ProviderMessageID string           `json:"provider_message_id"`
	Reason            string           `json:"reason"`
	CreatedAt         time.Time        `json:"created_at"`
	SettledAt         *time.Time       `json:"settled_at"`
	Delivery          string           `json:"delivery"` // how far its provider says it has come; "" if it said nothing
}

// Limits say how often one person may be written to. Zero values are no limits.
type Limits struct {
	ExternalID      string        // the person, across all campaigns
	ContactID       string        // for ContactGap
	CommunicationID string        // the one that is about to go; its own rows do not count
	PerDay          int           // openings in any 24 hours
	PerWeek         int           // openings in any seven days
	Gap             time.Duration // since the person's last opening
	ContactGap      time.Duration // since the contact's last opening
}

// None reports that there is no limit.
func (l *Limits) None() bool {
	return l == nil || l.PerDay == 0 && l.PerWeek == 0 && l.Gap == 0 && l.ContactGap == 0
}

// TooSoon says that a limit forbids an opening until a moment.
type TooSoon struct {
	Until  time.Time
	Reason string // max_per_day, max_per_week or min_gap
}

// Error says until when.
func (e *TooSoon) Error() string {
	return e.Reason + ": not before " + e.Until.UTC().Format(time.RFC3339)
}

// OutboxMessage is what left through the built-in development provider.
type OutboxMessage struct {
	ID              string           `json:"id"`
	At              time.Time        `json:"at"`
	Channel         campaign.Channel `json:"channel"`
	To              string           `json:"to"`
	Subject         string           `json:"subject"`
	Body            string           `json:"body"`
	Payload         json.RawMessage  `json:"payload"`
	CampaignID      string           `json:"campaign_id"`
	ContactID       string           `json:"contact_id"`
	CommunicationID string           `json:"communication_id"`
	SessionID       string           `json:"session_id"`
	CorrelationKey  string           `json:"correlation_key"`
	Status          string           `json:"status"`
}

// Ledger keeps sends and the outbox.
type Ledger interface {
	// ClaimSend inserts the row as sending together with the session it opens, if
	// any; if the id is there already it returns the earlier row and false, save
	// for one in state retry, which becomes sending again (true), created now.
	// ClaimSend refuses with [*TooSoon] what the limits forbid by then; of one
	// person only one opening is claimed at a time, so no two slip through.
	ClaimSend(ctx context.Context, s Send, open *campaign.Session, limits *Limits) (Send, bool, error)
	// AgainSend says that a send whose provider surely did not take it is made
	// again at the moment, from which it is looked for after a crash.
	AgainSend(ctx context.Context, id string, now time.Time) error
	// WithinLimits returns nil, or what an opening must wait for at the moment.
	WithinLimits(ctx context.Context, l Limits, now time.Time) (*TooSoon, error)
	// UseCap counts a communication against a campaign's cap for a day, once; it
	// reports false when the cap is used up.
	UseCap(ctx context.Context, campaignID, communicationID, day string, limit int) (bool, error)
	// SettleSend sets state, provider id and reason, and the message's delivery. A
	// row that is settled already keeps what it has, save that unknown may become
	// sent or failed, and one that a report has settled as sent takes the provider's
	// id. Reports that came before the provider's id was known are applied with it.
	SettleSend(ctx context.Context, id, state, providerMessageID, reason string, at time.Time) error
	SendByCorrelation(ctx context.Context, key string) (Send, error)
	SendRow(ctx context.Context, id string) (Send, error)
	PutOutbox(ctx context.Context, m OutboxMessage) (OutboxMessage, error) // idempotent by correlation key: the first wins and is returned
	OutboxByCorrelation(ctx context.Context, key string) (OutboxMessage, error)
	OutboxMessage(ctx context.Context, id string) (OutboxMessage, error)
	SetOutboxStatus(ctx context.Context, id, status string) error
	Outbox(ctx context.Context, campaignID, contactID string, p Page) (List[OutboxMessage], error)
}
