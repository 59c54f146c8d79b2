package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"carillon/campaign"
)

// Errors every method may return; test with errors.Is.
var (
	// ErrNotFound says that no record has the id.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the record is not in the state the write needs:
	// another version, a taken name, a contact owned by its workflow.
	ErrConflict = errors.New("conflict")
	// ErrStale says that a newer run of the contact has written: the writer is a
	// left-over and must stop.
	ErrStale = errors.New("stale run")
)

// Page asks for one page of a list: at most Limit records after Cursor.
type Page struct {
	Limit  int
	Cursor string
}

// List is one page and the cursor of the next, "" at the end. Pages are keyset
// pages: stable under inserts.
type List[T any] struct {
	Items []T
	Next  string
}

// CampaignFilter narrows a list of campaigns; zero values do not narrow.
type CampaignFilter struct {
	Status campaign.Status
	Query  string // part of name, description or a label
}

// Progress counts a campaign's contacts by status, and those with a workflow.
type Progress struct {
	Total    int                            `json:"total"`
	Planned  int                            `json:"planned"`  // with at least one planned communication
	Launched int                            `json:"launched"` // a workflow was started
	ByStatus map[campaign.ContactStatus]int `json:"by_status"`
	LastEnd  *time.Time                     `json:"last_end"`
}

// Campaigns keeps campaigns, their secrets and settings of the workspace.
type Campaigns interface {
	CreateCampaign(ctx context.Context, c campaign.Campaign) error
	Campaign(ctx context.Context, id string) (campaign.Campaign, error)
	Campaigns(ctx context.Context, f CampaignFilter, p Page) (List[campaign.Campaign], error)
	// UpdateCampaign changes a campaign in one transaction and adds one to its
	// version; the error of change is returned as it is and nothing is written.
	UpdateCampaign(ctx context.Context, id string, change func(*campaign.Campaign) error) (campaign.Campaign, error)
	// DeleteCampaign removes the campaign and everything in it.
	DeleteCampaign(ctx context.Context, id string) error
	SetCampaignSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error // "" removes one
	CampaignSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error)
	CampaignProgress(ctx context.Context, id string) (Progress, error)
	Settings(ctx context.Context) (json.RawMessage, error)
	PutSettings(ctx context.Context, doc json.RawMessage) error
}

// Stages keeps the stages of campaigns, in their order.
type Stages interface {
	CreateStage(ctx context.Context, s campaign.Stage) (campaign.Stage, error) // appended at the end; ErrConflict if the name is taken
	Stage(ctx context.Context, campaignID, id string) (campaign.Stage, error)
	StageByName(ctx context.Context, campaignID, name string) (campaign.Stage, error)
	Stages(ctx context.Context, campaignID string) ([]campaign.Stage, error)
	UpdateStage(ctx context.Context, campaignID, id string, change func(*campaign.Stage) error) (campaign.Stage, error)
	OrderStages(ctx context.Context, campaignID string, ids []string) error // must name every stage once, else ErrConflict
	// DeleteStage fails with ErrConflict while a communication that has not
	// ended, or a contact's current stage, names it.
	DeleteStage(ctx context.Context, campaignID, id string) error
}

// RunFilter narrows a list of strategy runs.
type RunFilter struct {
	CampaignID, ContactID, Status string
	Type                          campaign.StrategyType
	Version                       int
}

// Strategies keeps strategies, every version of their code, and their runs.
type Strategies interface {
	CreateStrategy(ctx context.Context, s campaign.Strategy) (campaign.Strategy, error) // version 1; ErrConflict if the type has one
	Strategy(ctx context.Context, campaignID, id string) (campaign.Strategy, error)
	ActiveStrategy(ctx context.Context, campaignID string, t campaign.StrategyType) (campaign.Strategy, error)
	Strategies(ctx context.Context, campaignID string) ([]campaign.Strategy, error)
	// UpdateStrategy saves a new version if code or function changed.
	UpdateStrategy(ctx context.Context, campaignID, id string, change func(*campaign.Strategy) error) (campaign.Strategy, error)
	StrategyVersions(ctx context.Context, campaignID, id string) ([]campaign.Strategy, error) // newest first
	DeleteStrategy(ctx context.Context, campaignID, id string) error
	MarkSlow(ctx context.Context, strategyID string, version int) error
	AddRun(ctx context.Context, run campaign.StrategyRun) error // idempotent by id
	Runs(ctx context.Context, f RunFilter, p Page) (List[campaign.StrategyRun], error)
}

// ContactFilter narrows a list of contacts; zero values do not narrow.
type ContactFilter struct {
	CampaignID, Stage, HeldCause, AttentionReason, Query, ObjectID, ExternalID string
	Status                                                                     campaign.ContactStatus
	Outcome                                                                    campaign.Outcome
	Held, Idle                                                                 *bool
	UpdatedSince                                                               time.Time
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
	Now       time.Time
}

// Settlement says what became of one import row that went to a workflow.
type Settlement struct {
	ImportID string             `json:"import_id"`
	Line     int                `json:"line"`
	Error    *campaign.RowError `json:"error,omitempty"`
	Created  bool               `json:"created,omitempty"`
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
	// Memo returns the output committed under (contact, run, step), if any.
	Memo(ctx context.Context, contactID, runID string, step int64) (json.RawMessage, bool, error)
	// PutMemo commits an output, with the strategy run it came from if not nil; the
	// first one wins and is returned.
	PutMemo(ctx context.Context, contactID, runID string, step int64, out json.RawMessage, run *campaign.StrategyRun) (json.RawMessage, error)

	// DropMemos drops the memos of contacts that ended and were not written since
	// a moment: no workflow task of theirs can be executed again.
	DropMemos(ctx context.Context, before time.Time) error

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

// ImportRow is one stored row of an upload. Err is set when it could not be read.
type ImportRow struct {
	Line int                 `json:"line"`
	Raw  string              `json:"raw,omitempty"`
	Row  *campaign.Row       `json:"row,omitempty"`
	Errs []campaign.RowError `json:"errs,omitempty"`
	Warn []campaign.RowError `json:"warn,omitempty"`
}

// ChunkWrite is what one chunk of an import decided, written in one transaction.
type ChunkWrite struct {
	ImportID string
	Chunk    int
	// New and Merged contacts the store owns. A merged one is written only while
	// its revision is Base; one that changed or is owned by a workflow by then is
	// returned as a conflict, and nothing of the chunk is written.
	Contacts []ContactWrite
	Failed   []campaign.RowError
	Warnings []campaign.RowError
	Pending  []PendingRow // rows that went to a workflow, to be settled by Record
	Created  int
	Updated  int
	Now      time.Time
}

// ContactWrite is one contact of a chunk with the decisions about it.
type ContactWrite struct {
	Contact   campaign.Contact
	Base      int64 // 0: must not exist yet
	Decisions []campaign.Decision
	Run       *campaign.StrategyRun
}

// PendingRow is a row whose contact's workflow will settle it. Its event is
// put into the inbox in the transaction that commits the chunk.
type PendingRow struct {
	Line      int
	ContactID string
	Event     InboxEvent
}

// Existing is a contact a row meets, its revision and who owns it.
type Existing struct {
	Contact  campaign.Contact
	Revision int64
	Workflow bool // started: its rows go to its workflow (also after it ended)
}

// UnfinishedImport is an import whose process may have died.
type UnfinishedImport struct {
	ID     string
	Status string
	Chunks int
	Began  time.Time
}

// Imports keeps uploads, their rows until processed, and what became of them.
type Imports interface {
	CreateImport(ctx context.Context, i campaign.Import) error // status receiving
	AddRows(ctx context.Context, importID string, chunk int, rows []ImportRow) error
	SealImport(ctx context.Context, importID string, chunks int) error // receiving → processing
	FailImport(ctx context.Context, importID, reason string, now time.Time) error
	Import(ctx context.Context, campaignID, id string) (campaign.Import, error)
	ImportByID(ctx context.Context, id string) (campaign.Import, int, error) // and its number of chunks
	ImportsOf(ctx context.Context, campaignID string, p Page) (List[campaign.Import], error)
	Rows(ctx context.Context, importID string, chunk int) ([]ImportRow, bool, error) // true: the chunk is done already
	ExistingContacts(ctx context.Context, campaignID string, ids []string) (map[string]Existing, error)
	CommitChunk(ctx context.Context, w ChunkWrite) (conflicts []string, err error) // idempotent by (import, chunk)
	// Unsettled returns rows still with a workflow; when none is left and all
	// chunks are done, FinishImport sets the final status.
	Unsettled(ctx context.Context, importID string, limit int) ([]PendingRow, error)
	// RowPending says whether a row is still with its contact's workflow.
	RowPending(ctx context.Context, importID string, line int) (bool, error)
	SettleRow(ctx context.Context, importID string, s Settlement) error
	FinishImport(ctx context.Context, importID string, now time.Time) (campaign.Import, error)
	RowErrors(ctx context.Context, importID string, visit func(campaign.RowError, bool) error) error // true: a warning
	FailedRows(ctx context.Context, importID string, visit func(line int, raw string) error) error
	// Unfinished lists imports that are still receiving or processing and began
	// before a moment, with their number of chunks.
	Unfinished(ctx context.Context, before time.Time) ([]UnfinishedImport, error)
	// ImportHeader keeps what is needed to write failed_rows in the file's own form.
	SetImportHeader(ctx context.Context, importID string, header []string, format string) error
	ImportHeader(ctx context.Context, importID string) ([]string, string, error)
}

// SessionFilter narrows a list of sessions.
type SessionFilter struct {
	CampaignID, AgentID, ContactID string
	IntegrationID, Address         string // where a reply came in and from whom
	Status                         campaign.SessionStatus
	Mode                           campaign.Mode
	Outcome                        campaign.CommunicationStatus
	WaitingForPerson               bool // open and in mode human
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
	At         time.Time       `json:"at"`
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

// Sessions keeps sessions, their messages, and the inbox.
type Sessions interface {
	OpenSession(ctx context.Context, s campaign.Session) error                             // idempotent by id
	Session(ctx context.Context, id string) (campaign.Session, error)                      // with its messages
	Sessions(ctx context.Context, f SessionFilter, p Page) (List[campaign.Session], error) // without messages
	UpdateSession(ctx context.Context, id string, change func(*campaign.Session) error) (campaign.Session, error)
	// CloseSession ends an open session, merges its results, and frees the
	// agent's lease held by its communication in the same transaction; it returns
	// the contact the freed place was granted to, if one waited. The grant is put
	// into the inbox in the same transaction (see Grant.InboxEvent), so it is not
	// lost if the process dies. Closing a closed session changes nothing.
	CloseSession(ctx context.Context, id string, status campaign.SessionStatus, results campaign.Dict, reason string, at time.Time) (granted *Grant, err error)
	AddMessage(ctx context.Context, m campaign.Message) error // idempotent by id
	MarkMessage(ctx context.Context, id, delivery, providerMessageID string) error
	MoveMessage(ctx context.Context, id, toSession string) error // no error if there is no such message
	// AddEvent commits an event and, if not nil, the message it carries; false if
	// the id was there already. guard runs in the transaction on the session.
	AddEvent(ctx context.Context, e InboxEvent, m *campaign.Message, guard func(campaign.Session) error) (bool, error)
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
	// for one in state retry, which becomes sending again (true).
	ClaimSend(ctx context.Context, s Send, open *campaign.Session) (Send, bool, error)
	// SettleSend sets state, provider id and reason, and the message's delivery. A
	// row that is settled already keeps what it has, save that unknown may become
	// sent or failed.
	SettleSend(ctx context.Context, id, state, providerMessageID, reason string, at time.Time) error
	SendByCorrelation(ctx context.Context, key string) (Send, error)
	SendRow(ctx context.Context, id string) (Send, error)
	PutOutbox(ctx context.Context, m OutboxMessage) (OutboxMessage, error) // idempotent by correlation key: the first wins and is returned
	OutboxByCorrelation(ctx context.Context, key string) (OutboxMessage, error)
	OutboxMessage(ctx context.Context, id string) (OutboxMessage, error)
	SetOutboxStatus(ctx context.Context, id, status string) error
	Outbox(ctx context.Context, campaignID, contactID string, p Page) (List[OutboxMessage], error)
}

// HeldContact is one hold: what keeps a contact (or one communication of it) waiting.
type HeldContact struct {
	ContactID       string
	CampaignID      string
	CommunicationID string
	Cause           string // campaign, stage, integration, contact, agent_stopped, agent_full
	Ref             string
	At              time.Time
}

// Grant tells a contact that an agent has a place for its communication.
type Grant struct {
	AgentID, CampaignID, ContactID, CommunicationID string
}

// InboxEvent is the grant as the event its contact is told.
func (g Grant) InboxEvent(now time.Time) InboxEvent {
	id := "grant-" + g.CommunicationID + "-" + now.UTC().Format("20060102T150405.000000")
	payload, err := json.Marshal(campaign.Event{
		ID: id, Kind: campaign.EventRelease, CommunicationID: g.CommunicationID,
		Release: &campaign.Release{Cause: campaign.HeldAgentFull, Ref: g.AgentID, CommunicationID: g.CommunicationID},
	})
	if err != nil {
		panic(err) // plain strings: cannot fail
	}
	return InboxEvent{ID: id, ContactID: g.ContactID, Kind: string(campaign.EventRelease), Payload: payload, At: now}
}

// Agents keeps agents, integrations, and who talks to whom: leases, waiters, holds.
type Agents interface {
	CreateAgent(ctx context.Context, a campaign.Agent) error // ErrConflict if the name is taken
	Agent(ctx context.Context, idOrName string) (campaign.Agent, error)
	Agents(ctx context.Context, p Page) (List[campaign.Agent], error)
	UpdateAgent(ctx context.Context, id string, change func(*campaign.Agent) error) (campaign.Agent, error)
	DeleteAgent(ctx context.Context, id string) error // ErrConflict while a stage names it or a session is open
	SetAgentSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error
	AgentSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error)
	CreateIntegration(ctx context.Context, i campaign.Integration) error
	Integration(ctx context.Context, idOrName string) (campaign.Integration, error)
	Integrations(ctx context.Context, p Page) (List[campaign.Integration], error)
	UpdateIntegration(ctx context.Context, id string, change func(*campaign.Integration) error) (campaign.Integration, error)
	DeleteIntegration(ctx context.Context, id string) error
	SetIntegrationSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error
	IntegrationSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error)

	// Acquire takes a place of the agent for a communication (idempotent), or puts
	// it in the agent's queue and returns false.
	Acquire(ctx context.Context, g Grant, maxSessions, dailySessions *int, now time.Time) (bool, error)
	// Release frees the communication's place, or its turn in the queue, and
	// returns whom the place was granted to; the grant is in the inbox by then.
	Release(ctx context.Context, communicationID string, maxSessions *int) (*Grant, error)
	// GrantFree grants places that came free without a release, because a limit
	// was raised or a day began; the grants are in the inbox by then.
	GrantFree(ctx context.Context, now time.Time) ([]Grant, error)
	AddHold(ctx context.Context, h HeldContact) error // one per (contact, communication, cause, ref); a repeated one moves At
	// DropHold removes the hold unless it was added again after h.At.
	DropHold(ctx context.Context, h HeldContact) error
	Holds(ctx context.Context, cause, ref, after string, limit int) ([]HeldContact, error) // by contact id
	// HoldCauses lists every cause and ref that holds anything, with its oldest hold.
	HoldCauses(ctx context.Context) ([]HeldContact, error)

	Suppress(ctx context.Context, s Suppression) error
	Suppressed(ctx context.Context, externalID string, ch campaign.Channel, address string) (string, error) // the reason, or ""
	Suppressions(ctx context.Context, p Page) (List[Suppression], error)
	Unsuppress(ctx context.Context, id string) error
}

// Suppression says that a person must not be contacted, on one channel or all.
type Suppression struct {
	ID         string           `json:"id"`
	ExternalID string           `json:"external_id"`
	Address    string           `json:"address"`
	Channel    campaign.Channel `json:"channel"` // "" is all
	Reason     string           `json:"reason"`  // opt_out, bounced, do_not_contact
	CreatedAt  time.Time        `json:"created_at"`
}

// Key is an API key; only its hash is stored.
type Key struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Hash      string     `json:"-"`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  *time.Time `json:"last_used"`
}

// AuditEntry is one change somebody made.
type AuditEntry struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	Action   string    `json:"action"`
	Resource string    `json:"resource"`
	Detail   string    `json:"detail"`
}

// Job is long work answered with 202.
type Job struct {
	ID         string          `json:"id"`
	CampaignID string          `json:"campaign_id"`
	Kind       string          `json:"kind"`
	Status     string          `json:"status"` // running, completed, failed
	Done       int             `json:"done"`
	Total      int             `json:"total"`
	Failed     int             `json:"failed"`
	Detail     string          `json:"detail"`
	Spec       json.RawMessage `json:"spec,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	CreatedAt  time.Time       `json:"created_at"`
	FinishedAt *time.Time      `json:"finished_at"`
}

// Answer is a stored answer to a request with an Idempotency-Key.
type Answer struct {
	RequestHash string
	Status      int // 0: still being worked on
	Header      json.RawMessage
	Body        []byte
}

// Office keeps what the API itself needs: keys, audit, jobs, idempotency.
type Office interface {
	CreateKey(ctx context.Context, k Key) error
	KeyByHash(ctx context.Context, hash string) (Key, error)
	Keys(ctx context.Context) ([]Key, error)
	DeleteKey(ctx context.Context, id string) error
	TouchKey(ctx context.Context, id string, now time.Time) error
	Audit(ctx context.Context, e AuditEntry) error
	AuditLog(ctx context.Context, p Page) (List[AuditEntry], error)
	CreateJob(ctx context.Context, j Job) error
	Job(ctx context.Context, id string) (Job, error)
	UpdateJob(ctx context.Context, id string, change func(*Job) error) (Job, error)
	// ReserveAnswer claims (actor, key); false and the earlier answer if taken. A
	// reservation never answered is free again after a minute.
	ReserveAnswer(ctx context.Context, actor, key, requestHash string, now time.Time) (Answer, bool, error)
	StoreAnswer(ctx context.Context, actor, key string, a Answer) error
	DropAnswer(ctx context.Context, actor, key string) error
	Erase(ctx context.Context, externalID string, now time.Time) (int, error) // anonymises a person's data in ended contacts
}
