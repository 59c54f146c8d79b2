package store

import (
	"context"
	"encoding/json"
	"time"

	"carillon/campaign"
)

// ContactFilter narrows a list of contacts; zero values do not narrow.
type ContactFilter struct {
	CampaignID, Stage, HeldCause, AttentionReason, Query, ObjectID, ExternalID string
	Status                                                                     campaign.ContactStatus
	Outcome                                                                    campaign.Outcome
	Held, Idle                                                                 *bool
	UpdatedSince                                                               time.Time
	OverdueSince                                                               time.Time         // something was to happen before, and did not
	HeldSince                                                                  time.Time         // held since before
	Fields                                                                     map[string]string // field.<name>=, compared as text
}

// Recording is one write of a contact's run: the contact as it now is, and
// everything that was decided since the last one.
type Recording struct {
	ContactID string
	RunID     string
	// Revision counts up within the run; a repeated one is a no-op. It is a time
	// in microseconds, so that a workflow task that is executed again after a
	// crash writes over what its dead attempt wrote.
	Revision int64
	// After is the revision before; what the run wrote past it was a dead attempt's.
	After     int64
	Contact   campaign.Contact
	Decisions []campaign.Decision
	Taken     []string // ids of inbox events now in the state
	Unmatched []string // ids of messages that came after the contact's end
	Settled   []Settlement
	Reopened  []string // ids of sessions that go on although a dead attempt may have closed them by time
	Now       time.Time
}

// Settlement says what became of one import row that went to a workflow.
type Settlement struct {
	ImportID string             `json:"import_id"`
	Line     int                `json:"line"`
	Error    *campaign.RowError `json:"error,omitempty"`
	Created  bool               `json:"created,omitempty"`
}

// StuckLimit bounds what [Contacts.Stuck] counts of each sort.
const StuckLimit = 10_000

// Stuck counts contacts that do not go on by themselves.
type Stuck struct {
	Overdue   int            // something was to happen before a moment, and did not
	Idle      int            // nothing is planned or open, and they are in no final stage
	Attention map[string]int // a person must look, by reason
	Held      map[string]int // something outside has held them since before a moment, by cause
}

// CommunicationRow is one communication with its contact, for lists.
type CommunicationRow struct {
	ContactID   string `json:"contact_id"`
	ContactName string `json:"contact_name"`
	campaign.Communication
}

// DecisionRow is one decision with its contact, for lists.
type DecisionRow struct {
	ContactID string `json:"contact_id"`
	campaign.Decision
}

// Contacts keeps contacts, their decisions and who owns them: the store until
// started_at is set and again after the run closed, the workflow in between.
type Contacts interface {
	Contact(ctx context.Context, campaignID, id string) (campaign.Contact, error)
	Contacts(ctx context.Context, f ContactFilter, p Page) (List[campaign.Contact], error)
	// EachContact streams every contact of the filter in id order.
	EachContact(ctx context.Context, f ContactFilter, visit func(campaign.Contact) error) error
	Decisions(ctx context.Context, contactID string) ([]campaign.Decision, error) // oldest first
	CampaignDecisions(ctx context.Context, campaignID string, kind campaign.DecisionKind, reason string, p Page) (List[DecisionRow], error)
	CountDecisions(ctx context.Context, campaignID string, kind campaign.DecisionKind) (map[string]int, error) // by "kind/reason"
	Communications(ctx context.Context, campaignID string, status campaign.CommunicationStatus, stage string, ch campaign.Channel, p Page) (List[CommunicationRow], error)
	// UpdateContact changes a contact the store owns (not started, or ended) with
	// its decisions; ErrConflict if its workflow owns it.
	UpdateContact(ctx context.Context, campaignID, id string, change func(*campaign.Contact) ([]campaign.Decision, error)) (campaign.Contact, error)
	DeleteContact(ctx context.Context, campaignID, id string) error
	// Stuck counts the contacts of a campaign that do not go on by themselves, up to
	// StuckLimit of each sort.
	Stuck(ctx context.Context, campaignID string, overdue, held time.Time) (Stuck, error)

	// BeginRun hands the contact to a run: sets started_at if unset, makes a
	// pending contact active, allocates the run's generation (the same one when
	// repeated) and returns the contact.
	BeginRun(ctx context.Context, contactID, runID string, now time.Time) (campaign.Contact, error)
	// Record writes a run's progress, its decisions, taken events and settled
	// rows in one transaction. A repeated revision changes nothing; a run older
	// than the newest is ErrStale. A run id never seen is a new generation.
	Record(ctx context.Context, r Recording) error
	// LostRun records that a run of a contact that has not ended is gone; it does
	// nothing if the contact has ended or needs attention already, or if another
	// run is its newest.
	LostRun(ctx context.Context, contactID, runID string, a campaign.Attention, d campaign.Decision) error
	// RunOf returns a contact's newest run, "" if none began, and whether its
	// workflow was started.
	RunOf(ctx context.Context, contactID string) (runID string, launched bool, err error)
	// Memo returns the output committed under (contact, run, step), if any.
	Memo(ctx context.Context, contactID, runID string, step int64) (json.RawMessage, bool, error)
	// PutMemo commits an output, with the strategy run it came from if not nil; the
	// first one wins and is returned.
	PutMemo(ctx context.Context, contactID, runID string, step int64, out json.RawMessage, run *campaign.StrategyRun) (json.RawMessage, error)

	// DropMemos drops the memos of contacts that ended and were not written since
	// a moment: no workflow task of theirs can be executed again.
	DropMemos(ctx context.Context, before time.Time) error
	// PruneDecisions drops the decisions of contacts that ended before a moment.
	PruneDecisions(ctx context.Context, before time.Time) error
	// PruneCaps drops what daily caps counted before a date.
	PruneCaps(ctx context.Context, before time.Time) error

	// Launchable says whether ClaimLaunch would find a contact.
	Launchable(ctx context.Context, campaignID string) (bool, error)
	// Unended says whether a contact of the campaign has not ended.
	Unended(ctx context.Context, campaignID string) (bool, error)
	// ClaimLaunch marks up to limit planned, unlaunched, pending contacts of a
	// running campaign as started and returns them, those claimed before and
	// never confirmed included.
	ClaimLaunch(ctx context.Context, campaignID string, limit int, now time.Time) ([]campaign.Contact, error)
	ConfirmLaunch(ctx context.Context, contactIDs []string, now time.Time) error
	// StopPending ends every contact of the campaign that has no workflow.
	StopPending(ctx context.Context, campaignID string, now time.Time) (int, error)
	ContactByID(ctx context.Context, id string) (campaign.Contact, error)
	// ActiveIDs pages through the ids of contacts whose workflow is open.
	ActiveIDs(ctx context.Context, campaignID, after string, limit int) ([]string, error)
}
