package campaign

import "time"

// EventKind names what happened to a contact.
type EventKind string

// Events from outside; they travel through the inbox and as signals.
const (
	EventMessage  EventKind = "message"  // the contact wrote
	EventAnswer   EventKind = "answer"   // an agent or operator answers
	EventResult   EventKind = "result"   // an agent or operator ends the session
	EventDelivery EventKind = "delivery" // the provider reports on a message
	EventImport   EventKind = "import"   // a row for a contact that has a workflow
	EventRelease  EventKind = "release"  // what held the contact is gone
	EventOperate  EventKind = "operate"  // an operator decides
	EventPerson   EventKind = "person"   // a session changes hands: Action says how
	EventLinked   EventKind = "linked"   // the contact has opened a chat by its link
)

// Events of the run itself: the results of its commands, and time passing.
const (
	EventTick      EventKind = "tick"
	EventGated     EventKind = "gated"
	EventSent      EventKind = "sent"
	EventDecided   EventKind = "decided" // a strategy has run
	EventClosed    EventKind = "closed"
	EventReplySent EventKind = "reply_sent"
	EventTurned    EventKind = "turned" // an agent has taken its turn
)

// Event is one thing that happened. Which fields are set follows from Kind.
type Event struct {
	ID   string    `json:"id,omitempty"` // of the inbox; a second one with the id is ignored
	Kind EventKind `json:"kind"`

	SessionID       string        `json:"session_id,omitempty"`
	CommunicationID string        `json:"communication_id,omitempty"`
	MessageID       string        `json:"message_id,omitempty"`
	Author          Author        `json:"author,omitempty"`
	Content         string        `json:"content,omitempty"`
	OptOut          bool          `json:"opt_out,omitempty"`  // of EventMessage: it asks to be left alone, and the person is suppressed by now
	Delivery        string        `json:"delivery,omitempty"` // one of the Report constants
	Status          SessionStatus `json:"status,omitempty"`   // of EventResult; of EventDelivery: the session ends with it, because its person is suppressed by now
	Results         Dict          `json:"results,omitempty"`
	Reason          string        `json:"reason,omitempty"`
	Action          string        `json:"action,omitempty"`  // of EventPerson: one of the Person constants
	Actor           string        `json:"actor,omitempty"`   // who did it, if it was a person
	Ordered         bool          `json:"ordered,omitempty"` // of EventAnswer: it leaves after what was said before it in the session; older histories have none
	Mode            Mode          `json:"mode,omitempty"`    // of EventPerson: who speaks for us from then on; older histories have none

	Import    *RowImport       `json:"import,omitempty"`
	Release   *Release         `json:"release,omitempty"`
	Operation *Operation       `json:"operation,omitempty"`
	Linked    *Linked          `json:"linked,omitempty"`
	Verdict   *Verdict         `json:"verdict,omitempty"`
	Sent      *SendOutcome     `json:"sent,omitempty"`
	Decided   *StrategyOutcome `json:"decided,omitempty"`
	Turn      *TurnOutcome     `json:"turn,omitempty"`
	Held      *Hold            `json:"held,omitempty"`  // of EventClosed: it must wait
	Until     *time.Time       `json:"until,omitempty"` // of EventClosed: an operator has it until then, its time is not over
}

// What a person does with a session.
const (
	PersonHandOff  = "handoff"   // takes it from its agent
	PersonClaim    = "claim"     // handles it
	PersonTakeOver = "take_over" // handles what another one handled
	PersonUnclaim  = "unclaim"   // lays it back into the inbox
	PersonHandBack = "hand_back" // gives it back to its agent
)

// RowImport is a row on its way to a contact's workflow.
type RowImport struct {
	ImportID string `json:"import_id"`
	Line     int    `json:"line"`
	Row      Row    `json:"row"`
}

// Linked is where a contact has opened a chat, proven by a token of ours.
type Linked struct {
	Channel Channel `json:"channel"`
	Address string  `json:"address"`
	Name    string  `json:"name,omitempty"` // as the provider knows the person
}

// Resume policies: what a release does to dates that have passed meanwhile.
const (
	ResumeNow          = "now"
	ResumeSpread       = "spread"        // sends are spread over a span of time
	ResumeRestartWaits = "restart_waits" // sessions wait anew from now on
)

// Causes of holds.
const (
	HeldCampaign     = "campaign"
	HeldStage        = "stage"
	HeldIntegration  = "integration"
	HeldAgentStopped = "agent_stopped"
	HeldAgentFull    = "agent_full"
)

// Release says which holds are over and how to go on.
type Release struct {
	Cause           string   `json:"cause"`
	Ref             string   `json:"ref,omitempty"`
	CommunicationID string   `json:"communication_id,omitempty"` // of a grant
	Policy          string   `json:"policy,omitempty"`
	Over            Duration `json:"over,omitempty"`
}

// Operator actions on one contact.
const (
	OperateRetry      = "retry"
	OperateSkip       = "skip"
	OperateMove       = "move"
	OperateStop       = "stop"
	OperatePause      = "pause"
	OperateResume     = "resume"
	OperateReschedule = "reschedule"
)

// Operation is an operator's decision about one contact.
type Operation struct {
	Action          string      `json:"action"`
	Actor           string      `json:"actor,omitempty"`
	StageName       string      `json:"stage_name,omitempty"`
	StageID         string      `json:"stage_id,omitempty"`
	Final           *FinalStage `json:"final,omitempty"`
	SendNow         bool        `json:"send_now,omitempty"`
	CommunicationID string      `json:"communication_id,omitempty"`
	StartDate       *time.Time  `json:"start_date,omitempty"`
	Policy          string      `json:"policy,omitempty"`
	Reason          string      `json:"reason,omitempty"`
	Anew            bool        `json:"anew,omitempty"` // of retry: what was sent with an unknown outcome goes in a session of its own; version 0.1 sets it never
}

// Gate verdicts.
const (
	GateGo        = "go"
	GateDeferred  = "deferred"
	GateHeld      = "held"
	GateSkipped   = "skipped"
	GateFinal     = "final"     // the communication's stage ends the contact
	GateExhausted = "exhausted" // max_attempts reached
	GateAttention = "attention" // a configuration a person must mend
)

// Verdict is what the gate says about a due communication.
type Verdict struct {
	Outcome     string      `json:"outcome"`
	StageName   string      `json:"stage_name,omitempty"` // as it is called now
	Channel     Channel     `json:"channel,omitempty"`
	Alternative string      `json:"alternative,omitempty"`
	Probability float64     `json:"probability,omitempty"`
	Queue       string      `json:"queue,omitempty"`    // task queue of the integration
	Priority    int         `json:"priority,omitempty"` // the campaign's, 1 before 5; 0 is 3
	Until       *time.Time  `json:"until,omitempty"`
	Hold        *Hold       `json:"hold,omitempty"`
	Reason      string      `json:"reason,omitempty"`
	Detail      string      `json:"detail,omitempty"`
	Final       *FinalStage `json:"final,omitempty"`
}

// Send outcomes.
const (
	SendSent      = "sent"
	SendFailed    = "failed"
	SendUnknown   = "unknown"
	SendSkipped   = "skipped"
	SendHeld      = "held"
	SendDeferred  = "deferred"
	SendAttention = "attention"
	SendRefused   = "refused" // the provider refused it, and the stage has a fallback left
)

// SendOutcome is how a send ended.
type SendOutcome struct {
	Outcome           string   `json:"outcome"`
	SessionID         string   `json:"session_id,omitempty"`
	Queue             string   `json:"queue,omitempty"` // where answers of the session are sent
	ProviderMessageID string   `json:"provider_message_id,omitempty"`
	Silent            bool     `json:"silent,omitempty"` // the session is open, nothing was said yet
	Timeout           Duration `json:"timeout,omitempty"`
	OnDelivered       bool     `json:"on_delivered,omitempty"` // a notification that completes when delivered
	Turns             Turns    `json:"turns,omitempty"`        // how the session's agent comes to speak
	// Opened is what the agent made of its turn to open the session, beside its words.
	// Older histories have none.
	Opened *TurnOutcome `json:"opened,omitempty"`
	Until  *time.Time   `json:"until,omitempty"`
	Hold   *Hold        `json:"hold,omitempty"`
	Reason string       `json:"reason,omitempty"`
	Detail string       `json:"detail,omitempty"`
}

// TurnOutcome is what an agent made of its turn. The zero value says nothing.
type TurnOutcome struct {
	MessageID string        `json:"message_id,omitempty"` // of the answer, which the store has; "" says nothing
	Content   string        `json:"content,omitempty"`
	Results   Dict          `json:"results,omitempty"` // what it has found out
	End       SessionStatus `json:"end,omitempty"`     // ends the session after the answer
	HandOff   bool          `json:"hand_off,omitempty"`
	Reason    string        `json:"reason,omitempty"`  // of the end, the hand-off or the error
	Held      *Hold         `json:"held,omitempty"`    // it is not the agent's turn yet
	Error     string        `json:"error,omitempty"`   // the agent cannot answer: a person must look
	Closed    SessionStatus `json:"closed,omitempty"`  // how the store has closed the session meanwhile
	Ordered   bool          `json:"ordered,omitempty"` // as that of an answer
	Late      bool          `json:"late,omitempty"`    // a person had the session by then: the store refused what the agent made of it
}

// StrategyOutcome is how a strategy run ended.
type StrategyOutcome struct {
	None    bool           `json:"none,omitempty"` // the campaign has no strategy of the type
	Version int            `json:"version,omitempty"`
	Change  Change         `json:"change,omitzero"`
	Error   *StrategyError `json:"error,omitempty"`
}

// CommandKind names what a run must have done.
type CommandKind string

// Commands.
const (
	CommandGate     CommandKind = "gate"
	CommandSend     CommandKind = "send"
	CommandReply    CommandKind = "reply" // a message inside a session
	CommandStrategy CommandKind = "strategy"
	CommandClose    CommandKind = "close"
	CommandOpenLate CommandKind = "open_late" // no result
	CommandRelease  CommandKind = "release"   // give an agent's place back; no result
	CommandTurn     CommandKind = "turn"      // the agent is to answer
)

// Command is one thing to be done for the contact; its result comes back as an event.
type Command struct {
	Kind            CommandKind   `json:"kind"`
	Step            int64         `json:"step"` // counts the run's commands; a re-execution has the same
	CommunicationID string        `json:"communication_id,omitempty"`
	SessionID       string        `json:"session_id,omitempty"`
	From            string        `json:"from,omitempty"` // the session a late one follows
	MessageID       string        `json:"message_id,omitempty"`
	Attempt         int           `json:"attempt,omitempty"` // of reply: how often a person has had the message sent again
	Queue           string        `json:"queue,omitempty"`   // task queue of a reply's integration
	Verdict         *Verdict      `json:"verdict,omitempty"`
	Type            StrategyType  `json:"type,omitempty"`
	Ending          *Ending       `json:"ending,omitempty"`
	Import          *RowImport    `json:"import,omitempty"`
	Message         *Message      `json:"message,omitempty"`
	Status          SessionStatus `json:"status,omitempty"`
	Results         Dict          `json:"results,omitempty"`
	Reason          string        `json:"reason,omitempty"`
	Timeout         bool          `json:"timeout,omitempty"` // of close: by time, so a pause holds it
	Turns           Turns         `json:"turns,omitempty"`   // of turn: in place or by an activity of its own
}
