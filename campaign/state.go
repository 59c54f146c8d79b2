package campaign

import (
	"slices"
	"time"
)

// State is everything the run of a contact knows. It is one serialisable value
// and travels whole over continue-as-new. [State.Step] is the only thing that
// changes it.
type State struct {
	Contact Contact `json:"contact"`
	Steps   int64   `json:"steps"`

	Open      []Open      `json:"open,omitempty"`      // sessions, and notifications that wait
	Closing   []Closing   `json:"closing,omitempty"`   // sessions to be closed
	Ended     []Ending    `json:"ended,omitempty"`     // to be aggregated, in order of ending
	Inputs    []Event     `json:"inputs,omitempty"`    // rows and answers a strategy must see
	Sending   string      `json:"sending,omitempty"`   // the communication whose opening is being sent
	Replies   []string    `json:"replies,omitempty"`   // messages being sent inside sessions, or waiting for that
	Line      []Reply     `json:"line,omitempty"`      // those that leave in order: of each session, the first is being sent
	Job       *Command    `json:"job,omitempty"`       // the one gate, strategy or close under way
	Holds     []CommHold  `json:"holds,omitempty"`     // what waits for something outside
	Deferrals []Deferral  `json:"deferrals,omitempty"` // planned communications that may not go yet
	Trouble   *Trouble    `json:"trouble,omitempty"`
	Unheard   []Unheard   `json:"unheard,omitempty"` // answers that are before a person
	Final     *FinalStage `json:"final,omitempty"`
	Stopping  string      `json:"stopping,omitempty"` // the reason, once a stop was asked for
	Unguided  bool        `json:"unguided,omitempty"` // the campaign has no aggregation strategy
	Late      int         `json:"late,omitempty"`     // sessions opened by late replies
	Routes    []Route     `json:"routes,omitempty"`   // where answers to a communication go
	Early     []Event     `json:"early,omitempty"`    // events of the communication being sent, for after its result
	Granted   []string    `json:"granted,omitempty"`  // communications that were given an agent's place they waited for
	Tried     []Tried     `json:"tried,omitempty"`    // deliveries that a provider refused
	Seen      []string    `json:"seen,omitempty"`     // ids of events taken, the newest last

	// What happened since the last recording; the run writes it to the store.
	Decisions []Decision  `json:"decisions,omitempty"`
	Taken     []string    `json:"taken,omitempty"`
	Unmatched []string    `json:"unmatched,omitempty"` // messages that came after the end
	Settled   []RowSettle `json:"settled,omitempty"`
	Reopened  []string    `json:"reopened,omitempty"` // sessions that go on although their time was over
	Dirty     bool        `json:"dirty,omitempty"`
}

// maxSeen bounds the window in which a repeated event is recognised.
const maxSeen = 256

// Open is a session that waits for either side, or a notification that waits
// for its time (then SessionID is "").
type Open struct {
	SessionID       string    `json:"session_id,omitempty"`
	CommunicationID string    `json:"communication_id"`
	Timeout         Duration  `json:"timeout"`
	Deadline        time.Time `json:"deadline"`
	Late            bool      `json:"late,omitempty"`
	OnDelivered     bool      `json:"on_delivered,omitempty"`
	Received        int       `json:"received,omitempty"`
	Turns           Turns     `json:"turns,omitempty"`
	Ask             string    `json:"ask,omitempty"`    // the contact's newest message that waits for the agent's turn
	Asking          string    `json:"asking,omitempty"` // the message the agent is answering now
	Results         Dict      `json:"results,omitempty"`
	Overtaken       []string  `json:"overtaken,omitempty"` // messages whose turn was under way when a person took the session over
}

// Reply is a message of ours inside a session.
type Reply struct {
	MessageID       string `json:"message_id"`
	SessionID       string `json:"session_id"`
	CommunicationID string `json:"communication_id"`
	Author          Author `json:"author,omitempty"`
	Attempt         int    `json:"attempt,omitempty"` // as a communication's
}

// Closing is a session, or a waiting notification, that is to be closed.
type Closing struct {
	SessionID       string        `json:"session_id,omitempty"`
	CommunicationID string        `json:"communication_id"`
	Status          SessionStatus `json:"status,omitempty"`
	Results         Dict          `json:"results,omitempty"`
	Reason          string        `json:"reason,omitempty"`
	Timeout         bool          `json:"timeout,omitempty"`
	Dropped         bool          `json:"dropped,omitempty"` // nothing follows from its end
	Actor           string        `json:"actor,omitempty"`   // the operator who ended it
}

// Ending is a communication that has ended and is to be aggregated.
type Ending struct {
	CommunicationID string              `json:"communication_id"`
	Outcome         CommunicationStatus `json:"outcome"` // taken unless the strategy says otherwise
	SessionID       string              `json:"session_id,omitempty"`
	SessionStatus   SessionStatus       `json:"session_status,omitempty"`
	Results         Dict                `json:"results,omitempty"`
	Reason          string              `json:"reason,omitempty"`
	Answered        bool                `json:"answered,omitempty"` // the contact said something
	Said            string              `json:"said,omitempty"`     // a late answer that has no session
}

// CommHold is a hold on one communication, or on the timeout of one.
type CommHold struct {
	Hold
	CommunicationID string `json:"communication_id"`
	SessionID       string `json:"session_id,omitempty"`
	Timeout         bool   `json:"timeout,omitempty"`
	Turn            bool   `json:"turn,omitempty"` // on the agent's turn
}

// Route is how answers in a communication's sessions come about and leave, for
// those of an agent that is given turns and those that do not take the outbox's
// task queue.
type Route struct {
	CommunicationID string `json:"communication_id"`
	Queue           string `json:"queue"`
	Turns           Turns  `json:"turns,omitempty"`
}

// Tried is a delivery of a communication that its provider refused.
type Tried struct {
	CommunicationID string `json:"communication_id"`
	Label           string `json:"label"`
}

// Deferral says that a planned communication may not go before a moment.
type Deferral struct {
	CommunicationID string    `json:"communication_id"`
	Until           time.Time `json:"until"`
	Reason          string    `json:"reason,omitempty"` // ReasonNoChat, of one that ends when a chat is known
}

// Kinds of trouble: what a retry repeats.
const (
	TroubleStrategy = "strategy" // the head of Ended could not be aggregated
	TroubleSend     = "send"     // the communication could not be sent
	TroubleUnknown  = "unknown"  // nobody knows whether it was sent
	TroubleTurn     = "turn"     // the agent could not answer in the communication's session
)

// Trouble is why a person must look, and what their decision acts on.
type Trouble struct {
	Attention
	Kind string       `json:"kind"`
	Sent *SendOutcome `json:"sent,omitempty"` // of an unknown send: how to go on if it did leave
}

// RowSettle says what became of an import's row.
type RowSettle struct {
	ImportID string    `json:"import_id"`
	Line     int       `json:"line"`
	Error    *RowError `json:"error,omitempty"`
}

// NewState begins the run of a contact.
func NewState(c Contact) State {
	s := State{Contact: c}
	s.takeUnheard(c.Attention)
	if c.Attention.Holds() {
		s.Trouble = &Trouble{Attention: *c.Attention, Kind: TroubleSend}
		s.Trouble.More = nil
		switch c.Attention.Reason {
		case "strategy_error":
			s.Trouble.Kind = TroubleStrategy
		case "agent_error":
			s.Trouble.Kind = TroubleTurn
		case "send_unknown":
			s.Trouble.Kind = TroubleUnknown
			s.Trouble.Sent = &SendOutcome{Outcome: SendSent}
			if m := c.Communication(c.Attention.CommunicationID); m != nil && m.Channel.Conversation() {
				s.Trouble.Sent.SessionID, s.Trouble.Sent.Timeout = m.SessionID, Duration(m.Channel.Timeout())
			}
		}
	}
	return s
}

// Done reports that the contact's life is over and its run may close.
func (s *State) Done() bool {
	return s.Contact.Status.Ended() && len(s.Inputs) == 0 && s.Job == nil && s.Sending == "" && len(s.Replies) == 0
}

// Quiet reports that nothing is under way, so the run may continue as new.
func (s *State) Quiet() bool {
	return s.Job == nil && s.Sending == "" && len(s.Replies) == 0 && len(s.Inputs) == 0 && len(s.Closing) == 0 && !s.asking() &&
		(len(s.Ended) == 0 || s.Trouble != nil)
}

func (s *State) isClosing(o *Open) bool {
	return slices.ContainsFunc(s.Closing, func(c Closing) bool {
		return c.SessionID == o.SessionID && c.CommunicationID == o.CommunicationID
	})
}

func (s *State) held(communicationID string, timeout bool) bool {
	return slices.ContainsFunc(s.Holds, func(h CommHold) bool {
		return h.CommunicationID == communicationID && h.Timeout == timeout && !h.Turn
	})
}

// TriedOf returns the labels of a communication's deliveries that were refused:
// the gate must not choose them again.
func (s *State) TriedOf(communicationID string) []string {
	var labels []string
	for _, t := range s.Tried {
		if t.CommunicationID == communicationID {
			labels = append(labels, t.Label)
		}
	}
	return labels
}

func (s *State) openSession(id string) *Open {
	for i := range s.Open {
		if id != "" && s.Open[i].SessionID == id {
			return &s.Open[i]
		}
	}
	return nil
}

func (s *State) route(communicationID string) Route {
	for _, r := range s.Routes {
		if r.CommunicationID == communicationID {
			return r
		}
	}
	return Route{}
}

func (s *State) openOf(communicationID string) *Open {
	for i := range s.Open {
		if s.Open[i].CommunicationID == communicationID && !s.Open[i].Late {
			return &s.Open[i]
		}
	}
	return nil
}

// lateOf returns the open session that a late reply to the communication began.
func (s *State) lateOf(communicationID string) *Open {
	for i := range s.Open {
		if o := &s.Open[i]; o.CommunicationID == communicationID && o.Late && !s.isClosing(o) {
			return o
		}
	}
	return nil
}

// first remembers an event's id and reports whether it is new.
func (s *State) first(id string) bool {
	if id == "" {
		return true
	}
	if slices.Contains(s.Seen, id) {
		return false
	}
	s.Dirty = true
	s.Seen = append(s.Seen, id)
	if len(s.Seen) > maxSeen {
		s.Seen = slices.Clone(s.Seen[len(s.Seen)-maxSeen:])
	}
	return true
}

func (s *State) decide(now time.Time, kind DecisionKind, reason, summary string, data map[string]any) {
	s.Decisions = append(s.Decisions, Decision{At: now, Kind: kind, Reason: reason, Summary: summary, Data: data})
	s.Dirty = true
}

// Recorded forgets what a recording has written.
func (s *State) Recorded() {
	s.Decisions, s.Taken, s.Unmatched, s.Settled, s.Reopened, s.Dirty = nil, nil, nil, nil, nil, false
}
