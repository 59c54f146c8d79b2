package store

import (
	"context"
	"time"

	"carillon/campaign"
)

// Kinds of provider events.
const (
	ReportStatus   = "status"   // what became of a message
	ReportMessage  = "message"  // the contact wrote
	ReportIdentity = "identity" // who a contact is to the provider
	ReportUnread   = "unread"   // nobody could read it
)

// ProviderEvent is one thing a provider told through a webhook, and what it was
// found to be about.
type ProviderEvent struct {
	IntegrationID string           `json:"integration_id"` // "" is the outbox: it may report on every message
	Provider      string           `json:"provider"`
	Key           string           `json:"key"` // unique in its integration
	Kind          string           `json:"kind"`
	Status        string           `json:"status,omitempty"` // of ReportStatus: a campaign.Report constant, or another one that means nothing to a contact
	Reason        string           `json:"reason,omitempty"`
	Suppress      string           `json:"suppress,omitempty"` // why the address, after an opt-out the person, is not written to any more
	Breaks        bool             `json:"breaks,omitempty"`   // the integration is what failed: it is paused
	Channel       campaign.Channel `json:"channel,omitempty"`
	At            time.Time        `json:"at"` // by the provider's clock; zero is the moment of receipt

	CorrelationKey    string   `json:"correlation_key,omitempty"`
	ProviderMessageID string   `json:"provider_message_id,omitempty"`
	Address           string   `json:"address,omitempty"` // of the contact
	SessionID         string   `json:"session_id,omitempty"`
	Threads           []string `json:"threads,omitempty"` // of a message: provider ids of what it answers
	Content           string   `json:"content,omitempty"`
	Auto              bool     `json:"auto,omitempty"` // a machine wrote it: no contact is told

	// Of a message: the provider's id of it, the sender's name, its subject, and its
	// files as references.
	MessageID string      `json:"message_id,omitempty"`
	Name      string      `json:"name,omitempty"`
	Subject   string      `json:"subject,omitempty"`
	Files     []EventFile `json:"files,omitempty"`

	Identity *Identity `json:"identity,omitempty"` // who the contact is to the provider, of any kind

	Raw       string `json:"-"`
	SendID    string `json:"-"` // "": not matched
	ContactID string `json:"-"`
}

// Withheld says that the provider has something and did not hand it out: only the
// reason is known.
func (e *ProviderEvent) Withheld() bool {
	return e.Kind == ReportUnread && e.Raw == "" && e.Reason != ""
}

// EventFile is a file that came with a message. Its content is not kept.
type EventFile struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
	Size int64  `json:"size,omitempty"` // bytes, 0 if not known
	URL  string `json:"url,omitempty"`
}

// Identity is who a contact is to a provider.
type Identity struct {
	ContactID string `json:"contact_id,omitempty"` // proven by a token of ours; "" finds the contact by address or ids
	UserID    string `json:"user_id,omitempty"`
	Previous  string `json:"previous,omitempty"` // the id that UserID takes the place of
	Name      string `json:"name,omitempty"`
	Blocked   bool   `json:"blocked,omitempty"` // the person has blocked us

	// What is kept of it; of one that is told, nothing.
	IntegrationID string     `json:"-"`
	Address       string     `json:"-"`
	LinkedAt      *time.Time `json:"-"`
	BlockedAt     *time.Time `json:"-"`
}

// Unsubscription is a person's click on the link in a message.
type Unsubscription struct {
	EventID   string // of the inbox: the same for the same link
	ContactID string
	Channel   campaign.Channel
	Address   string // "": only the person is left alone
	Reason    string
	At        time.Time
}

// Reports keeps what providers tell, and what people tell by a link.
type Reports interface {
	// CommitReports keeps events and, in the same transaction, all they mean: the
	// ledger's state and the message's delivery, suppressions and the end of the open
	// sessions they cover, messages of contacts, events of inboxes. An event that is there already changes nothing.
	// It returns the inbox events it added, to be relayed.
	CommitReports(ctx context.Context, events []ProviderEvent, now time.Time) ([]InboxEvent, error)
	// RematchReports matches events received since a moment that came before the
	// provider's id of their message was known. SettleSend does so too; this is
	// for the two that crossed.
	RematchReports(ctx context.Context, since, now time.Time) ([]InboxEvent, error)
	// Identities returns who a contact is to providers, by integration.
	Identities(ctx context.Context, contactID string) ([]Identity, error)
	// DropReports forgets events received before a moment, those that were matched
	// to nothing before another, later one.
	DropReports(ctx context.Context, before, unmatchedBefore time.Time) error
	// ProviderEvents lists an integration's events, the newest first.
	ProviderEvents(ctx context.Context, integrationID string, p Page) (List[ProviderEvent], error)
	// Unsubscribe suppresses the person, and the address if given, on every
	// channel like the one given, and tells the contact once for each EventID; the
	// open sessions it covers end. It returns the events of inboxes that are new.
	// ErrNotFound if there is no such contact.
	Unsubscribe(ctx context.Context, u Unsubscription) ([]InboxEvent, error)
	// Addresses returns where messages to a contact were sent, the newest first.
	Addresses(ctx context.Context, contactID string) ([]string, error)
	// HearEvent takes an event of a contact that no workflow runs, with the
	// decisions it means; ErrConflict if a workflow owns the contact. One that was
	// taken already changes nothing.
	HearEvent(ctx context.Context, id, contactID string, hear func(*campaign.Contact) []campaign.Decision) error
	// WorkspaceSecret returns the workspace's secret with the name, made at random
	// when it is first asked for. It is sealed as all secrets are (ErrNoKey without
	// a key), and stays the same when the keys are rotated.
	WorkspaceSecret(ctx context.Context, name string) ([]byte, error)
}

// Polls is who polls a provider for an integration, and how far it was read.
type Polls interface {
	// TakePoll takes the turn to poll, or keeps it, until a moment, and returns the
	// cursor. False if another holder's turn lasts at now, or there is no such
	// integration.
	TakePoll(ctx context.Context, integrationID, holder string, now, until time.Time) (cursor string, got bool, err error)
	// CommitPoll is CommitReports together with the cursor after the events.
	// ErrStale, and nothing is kept, if another has taken the turn since.
	CommitPoll(ctx context.Context, integrationID, holder, cursor string, events []ProviderEvent, now time.Time) ([]InboxEvent, error)
	// ReleasePoll ends the holder's turn; the cursor stays.
	ReleasePoll(ctx context.Context, integrationID, holder string) error
}
