package campaign

import (
	"slices"
	"time"
)

// onPerson: a session has changed hands. The store did it already; the run tells
// the timeline, counts the wait anew, takes from the agent what it is about to say,
// and gives an agent that is handed a session back what it has not answered.
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
	switch e.Mode {
	case ModeHuman:
		s.overtake(o)
	case ModeAI:
		if e.Author == AuthorAgent { // nobody has said anything since: what it is about to say still fits
			o.takeUp()
		}
	case ModeCopilot:
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

// overtake gives the session to a person for good: a turn that is under way is
// nobody's answer any more, so the session's time runs, and when its result comes
// it changes nothing.
func (s *State) overtake(o *Open) {
	s.quiet(o)
	if o.Asking != "" {
		o.Overtaken, o.Asking = append(o.Overtaken, o.Asking), ""
	}
}

// takeUp waits again for the turn that was under way when a person took over.
func (o *Open) takeUp() {
	if n := len(o.Overtaken); n > 0 && o.Asking == "" {
		o.Asking, o.Overtaken = o.Overtaken[n-1], o.Overtaken[:n-1]
	}
}

// overtaken reports, once, that a turn comes back that a person has overtaken.
func (o *Open) overtaken(messageID string) bool {
	i := slices.Index(o.Overtaken, messageID)
	if i >= 0 {
		o.Overtaken = slices.Delete(o.Overtaken, i, i+1)
	}
	return i >= 0
}

// lateTurn takes the result of a turn that a person has overtaken: owner, deadline
// and state of the session stay as they are. What the agent had found out before is
// kept, as the store has it.
func (s *State) lateTurn(o *Open, e *Event, now time.Time) {
	s.Dirty = true
	m := s.Contact.Communication(o.CommunicationID)
	if m == nil {
		return
	}
	o.Results = DictChange{Set: e.Turn.Results}.apply(o.Results)
	s.tellLate(m, e, now)
}

// tellLate puts on the timeline what an agent made of a turn too late.
func (s *State) tellLate(m *Communication, e *Event, now time.Time) {
	t, d := e.Turn, commData(m)
	d["session_id"] = e.SessionID
	if t.MessageID != "" { // it is in the store: the recording says that it was not sent
		d["message_id"] = t.MessageID
	}
	switch {
	case t.Error != "":
		s.decide(now, DecisionFailed, "agent_error", "The agent could not answer in "+m.Name+", which a person had taken over: "+t.Error, d)
	case t.Content != "":
		d["content"] = t.Content
		s.decide(now, DecisionFailed, "taken_over", "The agent's answer came after a person had taken the conversation over and was not sent: "+excerpt(t.Content), d)
	case t.End.Ended():
		s.decide(now, DecisionFailed, "taken_over", "The agent ended "+m.Name+" after a person had taken it over: it goes on", d)
	}
	if t.HandOff && !t.Late { // the store has given it to people
		s.decide(now, DecisionOperator, "handoff", "The agent hands over to a person: "+orElse(t.Reason, m.Name), d)
	}
}
