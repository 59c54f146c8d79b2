package campaign

import (
	"slices"
	"time"
)

// ask notes that an agent is to answer a message. A burst is answered in one
// turn: only the newest message is kept, and the turn sees all of them.
func (s *State) ask(o *Open, e *Event) {
	if o.Turns != TurnsNone && e.MessageID != "" {
		o.Ask = e.MessageID
	}
}

// turns gives every agent its turn that has something to answer and is not
// answering. Turns run beside the serial job; none is given while the contact
// is paused or being stopped, or while what is paused holds it.
func (s *State) turns() []Command {
	if s.Contact.Paused || s.Stopping != "" || s.Contact.Status.Ended() {
		return nil
	}
	var cmds []Command
	for i := range s.Open {
		o := &s.Open[i]
		if o.Ask == "" || o.Asking != "" || s.isClosing(o) || s.turnHeld(o) {
			continue
		}
		o.Asking, o.Ask = o.Ask, ""
		cmds = append(cmds, s.spawn(Command{
			Kind: CommandTurn, CommunicationID: o.CommunicationID, SessionID: o.SessionID, MessageID: o.Asking, Turns: o.Turns,
		}))
	}
	return cmds
}

// owed reports that the contact waits for us: its time does not run out.
func (o *Open) owed() bool { return o.Ask != "" || o.Asking != "" }

// asking reports that an agent is taking its turn, be it one that nobody waits for.
func (s *State) asking() bool {
	return slices.ContainsFunc(s.Open, func(o Open) bool { return o.Asking != "" || len(o.Overtaken) > 0 })
}

func (s *State) turnHeld(o *Open) bool {
	if t := s.Trouble; t != nil && t.Kind == TroubleTurn && t.CommunicationID == o.CommunicationID {
		return true
	}
	return slices.ContainsFunc(s.Holds, func(h CommHold) bool { return h.Turn && h.SessionID == o.SessionID })
}

// onTurned takes what an agent made of its turn.
func (s *State) onTurned(e *Event, now time.Time) []Command {
	o := s.openSession(e.SessionID)
	if o != nil && e.Turn != nil && o.overtaken(e.MessageID) {
		s.lateTurn(o, e, now)
		return nil
	}
	if o == nil || o.Asking != e.MessageID || e.Turn == nil {
		if e.Turn != nil && e.Turn.MessageID != "" {
			return s.onAnswer(&Event{SessionID: e.SessionID, MessageID: e.Turn.MessageID, Author: AuthorAgent, Content: e.Turn.Content}, now)
		}
		return nil
	}
	o.Asking, s.Dirty = "", true
	t, m := e.Turn, s.Contact.Communication(o.CommunicationID)
	switch {
	case m == nil:
		return nil
	case t.Late: // that the session has changed hands is still on its way
		s.tellLate(m, e, now)
		return nil
	case t.Held != nil:
		s.askAgain(o, e.MessageID)
		s.holdTurn(o, m, *t.Held, now)
		return nil
	case t.Closed != "":
		if !s.isClosing(o) {
			s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: m.ID, Status: t.Closed, Reason: t.Reason})
		}
		return nil
	case t.Error != "":
		d := commData(m)
		d["message_id"] = e.MessageID
		if s.Trouble != nil { // a person is asked already; the failure stands in the timeline
			s.decide(now, DecisionFailed, "agent_error", "The agent could not answer in "+m.Name+": "+t.Error, d)
			return nil
		}
		s.askAgain(o, e.MessageID)
		s.trouble(TroubleTurn, "agent_error", "the agent could not answer in "+m.Name+": "+t.Error, m.ID, now)
		return nil
	}
	o.Results = DictChange{Set: t.Results}.apply(o.Results)
	var cmds []Command
	if t.MessageID != "" {
		cmds = s.onAnswer(&Event{SessionID: o.SessionID, MessageID: t.MessageID, Author: AuthorAgent, Content: t.Content, Ordered: t.Ordered}, now)
	}
	s.conclude(o, m, t, now)
	return cmds
}

// conclude does what an agent decided in its turn: people are given the session, or it
// ends.
func (s *State) conclude(o *Open, m *Communication, t *TurnOutcome, now time.Time) {
	if t.HandOff {
		d := commData(m)
		d["session_id"] = o.SessionID
		s.decide(now, DecisionOperator, "handoff", "The agent hands over to a person: "+orElse(t.Reason, m.Name), d)
	}
	if t.End.Ended() && !s.isClosing(o) {
		s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: m.ID, Status: t.End, Reason: t.Reason})
	}
}

// askAgain keeps a message waiting for its turn unless a newer one does.
func (s *State) askAgain(o *Open, messageID string) {
	if o.Ask == "" {
		o.Ask = messageID
	}
}

// dropAsked forgets what the agent has not answered in a communication's sessions.
func (s *State) dropAsked(communicationID string) {
	for i := range s.Open {
		if o := &s.Open[i]; o.CommunicationID == communicationID {
			o.Ask = ""
		}
	}
}

func (s *State) holdTurn(o *Open, m *Communication, h Hold, now time.Time) {
	h.Since = now
	s.Holds = append(s.Holds, CommHold{Hold: h, CommunicationID: m.ID, SessionID: o.SessionID, Turn: true})
	s.decide(now, DecisionHeld, h.Cause, "An answer in "+m.Name+" waits: "+heldText(h.Cause), commData(m))
}
