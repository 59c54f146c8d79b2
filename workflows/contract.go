package workflows

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"carillon/campaign"
)

// Workflow types. They are part of every history: never rename one.
const (
	TypeContact = "Contact"
	TypeImport  = "Import"
	TypeLaunch  = "Launch"
	TypeSweep   = "Sweep"
)

// Task queues.
const (
	QueueContacts   = "contacts"   // every workflow, and local activities
	QueueStrategies = "strategies" // strategies that are slow or use the network
	QueueAgents     = "agents"     // turns of agents outside this process
	QueueOffice     = "office"     // chunks of imports, launches and sweeps
	QueueOutbox     = "send-outbox"
	QueueHuman      = "send-human"
	QueueSendPrefix = "send-" // + integration id
)

// Messages a contact's run takes.
const (
	SignalMessage  = "message"
	SignalAnswer   = "answer"
	SignalResult   = "result"
	SignalDelivery = "delivery"
	SignalImport   = "import"
	SignalRelease  = "release"
	SignalStop     = "stop"
	SignalLinked   = "linked"
	UpdateOperate  = "operate"
	QueryState     = "state"
	QueryPlan      = "plan"
	SignalWake     = "wake" // of Launch
)

// SignalFor names the signal that carries an event.
func SignalFor(k campaign.EventKind) string {
	switch k {
	case campaign.EventOperate:
		return SignalStop
	case campaign.EventPerson: // in order with what the person says, and before how they end it
		return SignalAnswer
	default:
		return string(k)
	}
}

// ContactWorkflowID is the id of a contact's workflow.
func ContactWorkflowID(campaignID, contactID string) string { return campaignID + "/" + contactID }

// ImportWorkflowID is the id of an import's workflow.
func ImportWorkflowID(importID string) string { return "import/" + importID }

// LaunchWorkflowID is the id of a campaign's launcher.
func LaunchWorkflowID(campaignID string) string { return "launch/" + campaignID }

// SweepWorkflowID is the id of a sweep.
func SweepWorkflowID(id string) string { return "sweep/" + id }

// Search attributes. All six are written at the start; the last four follow.
var (
	KeyCampaign  = temporal.NewSearchAttributeKeyKeyword("CampaignId")
	KeyObject    = temporal.NewSearchAttributeKeyKeyword("ObjectId")
	KeyStage     = temporal.NewSearchAttributeKeyKeyword("CampaignStage")
	KeyStatus    = temporal.NewSearchAttributeKeyKeyword("ContactStatus")
	KeyAttention = temporal.NewSearchAttributeKeyKeyword("AttentionReason")
	KeyNext      = temporal.NewSearchAttributeKeyTime("NextActionAt")
)

// ActivityRegistry is the part of a worker, or of a test environment, that
// accepts activities.
type ActivityRegistry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Activity is the workflow's side of an activity: a stable name and the types
// that travel through history under it.
type Activity[In, Out any] struct{ Name string }

// Bind registers the implementation of a under its stable name.
func (a Activity[In, Out]) Bind(r ActivityRegistry, impl func(context.Context, In) (Out, error)) {
	r.RegisterActivityWithOptions(impl, activity.RegisterOptions{Name: a.Name})
}

func (a Activity[In, Out]) local(ctx workflow.Context, o workflow.LocalActivityOptions, in In) (out Out, err error) {
	err = workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, o), a.Name, in).Get(ctx, &out)
	return out, err
}

func (a Activity[In, Out]) call(ctx workflow.Context, o workflow.ActivityOptions, in In) (out Out, err error) {
	err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), a.Name, in).Get(ctx, &out)
	return out, err
}

func (a Activity[In, Out]) start(ctx workflow.Context, o workflow.ActivityOptions, in In) workflow.Future {
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), a.Name, in)
}

// The activities, by contract.
var (
	BeginRun     = Activity[BeginInput, BeginOutput]{Name: "BeginRun"}
	Record       = Activity[RecordInput, None]{Name: "Record"}
	Gate         = Activity[GateInput, campaign.Verdict]{Name: "Gate"}
	Send         = Activity[SendInput, campaign.SendOutcome]{Name: "Send"}
	Reply        = Activity[ReplyInput, campaign.SendOutcome]{Name: "Reply"}
	RunStrategy  = Activity[StrategyInput, campaign.StrategyOutcome]{Name: "RunStrategy"}
	Turn         = Activity[TurnInput, campaign.TurnOutcome]{Name: "Turn"}
	CloseSession = Activity[CloseInput, CloseOutput]{Name: "CloseSession"}
	OpenLate     = Activity[OpenLateInput, None]{Name: "OpenLate"}
	ReleaseAgent = Activity[ReleaseAgentInput, None]{Name: "ReleaseAgent"}

	ImportChunk  = Activity[ImportChunkInput, ImportChunkOutput]{Name: "ImportChunk"}
	FinishImport = Activity[FinishImportInput, None]{Name: "FinishImport"}
	LaunchChunk  = Activity[LaunchChunkInput, LaunchChunkOutput]{Name: "LaunchChunk"}
	SweepChunk   = Activity[SweepChunkInput, SweepChunkOutput]{Name: "SweepChunk"}
)

// None is an empty answer.
type None struct{}

// BeginInput hands a contact to the run that asks.
type BeginInput struct {
	ContactID string    `json:"contact_id"`
	Now       time.Time `json:"now"`
}

// BeginOutput is the contact as the run finds it.
type BeginOutput struct {
	Contact  campaign.Contact        `json:"contact"`
	Sessions []campaign.SessionBrief `json:"sessions,omitempty"`
	Final    *campaign.FinalStage    `json:"final,omitempty"` // if the current stage is one
}

// RecordInput is the contact as it now is and what was decided since the last
// recording. Revision is the workflow's time in microseconds, counted up where
// it does not move; After is the one before.
type RecordInput struct {
	Revision  int64                `json:"revision"`
	After     int64                `json:"after"`
	Contact   campaign.Contact     `json:"contact"`
	Decisions []campaign.Decision  `json:"decisions,omitempty"`
	Taken     []string             `json:"taken,omitempty"`
	Unmatched []string             `json:"unmatched,omitempty"`
	Settled   []campaign.RowSettle `json:"settled,omitempty"`
	Reopened  []string             `json:"reopened,omitempty"`
	Now       time.Time            `json:"now"`
}

// GateInput asks whether a due communication may be sent now.
type GateInput struct {
	Contact         campaign.Contact `json:"contact"`
	CommunicationID string           `json:"communication_id"`
	Tried           []string         `json:"tried,omitempty"`  // labels of deliveries that were refused
	Waited          bool             `json:"waited,omitempty"` // for a chat, in vain
	Now             time.Time        `json:"now"`
}

// SendInput asks for one communication to be sent. The contact is read from
// the store, where the run has recorded it.
type SendInput struct {
	CampaignID    string                 `json:"campaign_id"`
	ContactID     string                 `json:"contact_id"`
	Communication campaign.Communication `json:"communication"`
	Verdict       campaign.Verdict       `json:"verdict"`
}

// ReplyInput asks for one message inside a session to be sent.
type ReplyInput struct {
	CampaignID      string `json:"campaign_id"`
	ContactID       string `json:"contact_id"`
	CommunicationID string `json:"communication_id"`
	SessionID       string `json:"session_id"`
	MessageID       string `json:"message_id"`
	Attempt         int    `json:"attempt,omitempty"` // how often a person has had it sent again
}

// TurnInput asks an agent for its answer to everything that was said in a
// session up to a message.
type TurnInput struct {
	CampaignID      string    `json:"campaign_id"`
	ContactID       string    `json:"contact_id"`
	CommunicationID string    `json:"communication_id"`
	StageID         string    `json:"stage_id"`
	SessionID       string    `json:"session_id"`
	MessageID       string    `json:"message_id"`
	Now             time.Time `json:"now"`
	// Local asks for an answer in place; an agent that cannot give one is refused
	// with the error type "StrategySlow".
	Local bool `json:"local,omitempty"`
}

// StrategyInput asks for one run of a strategy. Without Contact, the recorded
// one is read from the store.
type StrategyInput struct {
	CampaignID string                `json:"campaign_id"`
	ContactID  string                `json:"contact_id"`
	Contact    *campaign.Contact     `json:"contact,omitempty"`
	Type       campaign.StrategyType `json:"type"`
	Step       int64                 `json:"step"`
	Ending     *campaign.Ending      `json:"ending,omitempty"`
	Message    *campaign.Message     `json:"message,omitempty"`
	Import     *campaign.RowImport   `json:"import,omitempty"`
	Now        time.Time             `json:"now"`
	// Local asks for an answer within the local budget of one second; a strategy
	// that cannot keep it is refused or killed with the error type "StrategySlow".
	Local bool `json:"local,omitempty"`
}

// CloseInput ends a session, or with an empty SessionID only asks whether a
// notification's wait may end.
type CloseInput struct {
	CampaignID      string                 `json:"campaign_id"`
	ContactID       string                 `json:"contact_id"`
	CommunicationID string                 `json:"communication_id"`
	StageID         string                 `json:"stage_id"`
	SessionID       string                 `json:"session_id,omitempty"`
	Status          campaign.SessionStatus `json:"status,omitempty"`
	Results         campaign.Dict          `json:"results,omitempty"`
	Reason          string                 `json:"reason,omitempty"`
	Timeout         bool                   `json:"timeout,omitempty"` // a pause holds it
	Now             time.Time              `json:"now"`
}

// CloseOutput says that the session is closed, or what it must wait for.
type CloseOutput struct {
	Held  *campaign.Hold `json:"held,omitempty"`
	Until *time.Time     `json:"until,omitempty"` // an operator has it until then: its time is not over
}

// OpenLateInput opens the session of a late reply and moves the message there.
type OpenLateInput struct {
	SessionID       string    `json:"session_id"`
	From            string    `json:"from"`
	CommunicationID string    `json:"communication_id"`
	MessageID       string    `json:"message_id"`
	Now             time.Time `json:"now"`
}

// ReleaseAgentInput gives a place back that a communication no longer needs.
type ReleaseAgentInput struct {
	CommunicationID string `json:"communication_id"`
}

// ImportChunkInput names one chunk of an import.
type ImportChunkInput struct {
	ImportID string `json:"import_id"`
	Chunk    int    `json:"chunk"`
}

// ImportChunkOutput counts the rows that went to workflows.
type ImportChunkOutput struct {
	Pending int `json:"pending"`
}

// FinishImportInput names the import whose chunks are done.
type FinishImportInput struct {
	ImportID string `json:"import_id"`
}

// LaunchChunkInput names the campaign whose contacts are to be started.
type LaunchChunkInput struct {
	CampaignID string `json:"campaign_id"`
}

// LaunchChunkOutput says how far the launch is.
type LaunchChunkOutput struct {
	Started int  `json:"started"`
	More    bool `json:"more"`    // there may be more to start now
	Running bool `json:"running"` // the campaign runs; else the launcher may end
}

// SweepInput is a job that touches many contacts one by one.
type SweepInput struct {
	ID   string    `json:"id"`
	Kind SweepKind `json:"kind"`
	// Release of holds.
	Release *campaign.Release `json:"release,omitempty"`
	Since   time.Time         `json:"since,omitzero"` // the flip; a release ends with an empty pass begun later than a send may last
	// Everything of a campaign, or what a filter finds.
	CampaignID string              `json:"campaign_id,omitempty"`
	JobID      string              `json:"job_id,omitempty"`
	Operation  *campaign.Operation `json:"operation,omitempty"`
	After      string              `json:"after,omitempty"` // the last contact done
}

// SweepKind names what a sweep does.
type SweepKind string

// Kinds of sweeps.
const (
	SweepRelease SweepKind = "release" // tell every held contact that the cause is gone
	SweepStop    SweepKind = "stop"    // stop every contact of a campaign
	SweepBulk    SweepKind = "bulk"    // a bulk action: the job's contacts, one operation
)

// SweepChunkInput asks for the contacts after a key.
type SweepChunkInput struct {
	Sweep SweepInput `json:"sweep"`
}

// SweepChunkOutput is how far the sweep came.
type SweepChunkOutput struct {
	Last string `json:"last"`
	Done int    `json:"done"`
	More bool   `json:"more"`
	Over bool   `json:"over,omitempty"` // nothing is left to do: what held the contacts is back
}
