package campaign

import (
	"slices"
	"time"
)

// onPerson: a session has changed hands. The store did it already; the run tells
// the timeline, counts the wait anew, and gives an agent that is handed a session
// back what it has not answered.
func (s *State) onPerson(e *Event, now time.Time) {
	s.provesLeft(e.SessionID, now)
	o := s.openSession(e.SessionID)
	if o == nil || s.isClosing(o) || s.Stopping != "" {
		return
	}
	m := s.Contact.Communication(o.CommunicationID)
	if m == nil {
		return
	}
	d := commData(m)
	d["session_id"], d["actor"], d["action"] = o.SessionID, e.Actor, e.Action
	who := orElse(e.Actor, "An operator")
	var text string
	switch e.Action {
	case PersonHandOff:
		text = who + " takes the conversation over from the agent in " + m.Name
		s.quiet(o)
	case PersonClaim:
		text = who + " handles " + m.Name
	case PersonTakeOver:
		text = who + " handles " + m.Name + " in place of " + orElse(e.Reason, "another operator")
	case PersonUnclaim:
		text = who + " lays " + m.Name + " back into the inbox"
	case PersonHandBack:
		text = who + " gives the conversation in " + m.Name + " back to the agent"
		s.ask(o, e)
	default:
		return
	}
	if e.Reason != "" && e.Action != PersonTakeOver {
		text += ": " + excerpt(e.Reason)
	}
	s.extend(o, m, now)
	s.decide(now, DecisionOperator, e.Action, text, d)
}

// quiet takes from the agent what it has not answered: a person does it now. What
// keeps the agent from answering does not concern the contact any more.
func (s *State) quiet(o *Open) {
	o.Ask = ""
	s.Holds = slices.DeleteFunc(s.Holds, func(h CommHold) bool { return h.Turn && h.SessionID == o.SessionID })
	if t := s.Trouble; t != nil && t.Kind == TroubleTurn && t.CommunicationID == o.CommunicationID {
		s.Trouble = nil
	}
}
