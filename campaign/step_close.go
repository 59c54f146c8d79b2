package campaign

import (
	"slices"
	"time"
)

func (s *State) timeOut(o *Open) {
	status := SessionTimeout
	if o.Received > 0 {
		status = SessionUserTimeout
	}
	s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: o.CommunicationID, Status: status, Reason: "no_response", Timeout: true})
}

func (s *State) nextClose() *Command {
	if len(s.Closing) == 0 {
		return nil
	}
	c := &s.Closing[0]
	if o := s.openSession(c.SessionID); o != nil && len(o.Results) > 0 { // what the agent has found out on the way
		c.Results, o.Results = DictChange{Set: c.Results}.apply(o.Results), nil
	}
	return &Command{Kind: CommandClose, CommunicationID: c.CommunicationID, SessionID: c.SessionID, Status: c.Status, Results: c.Results, Reason: c.Reason, Timeout: c.Timeout}
}

// onClosed: the store has closed a session, or said that it must wait.
func (s *State) onClosed(e *Event, now time.Time) {
	if _, ok := s.jobDone(CommandClose); !ok || len(s.Closing) == 0 {
		return
	}
	c := s.Closing[0]
	s.Closing = s.Closing[1:]
	m := s.Contact.Communication(c.CommunicationID)
	if m == nil {
		return
	}
	if e.Held != nil {
		s.hold(m, *e.Held, true, now)
		return
	}
	if o := s.openSession(c.SessionID); o != nil && e.Until != nil { // who handles it is given their time
		o.Deadline = *e.Until
		return
	}
	var o Open
	s.Open = slices.DeleteFunc(s.Open, func(x Open) bool {
		match := x.CommunicationID == c.CommunicationID && x.SessionID == c.SessionID
		if match {
			o = x
		}
		return match
	})
	s.dropMootTrouble()
	if c.Dropped {
		return
	}
	if o.Late {
		s.keepResults(c.Results, nil, now)
	} else {
		s.keepResults(c.Results, m, now)
	}
	d := commData(m)
	if c.SessionID != "" {
		d["status"], d["session_id"] = string(c.Status), c.SessionID
		by := ""
		if c.Actor != "" {
			d["actor"], by = c.Actor, " ("+c.Actor+")"
		}
		s.decide(now, DecisionSessionEnded, string(c.Status), "Session ended: "+m.Name+", "+words(string(c.Status))+by, d)
	}
	if s.Stopping != "" {
		if !m.Status.Status.Final() {
			m.end(CommunicationCanceled, now, s.Stopping)
		}
		return
	}
	outcome := c.Status.RollUp()
	if c.SessionID == "" { // a notification ends as completed, answered or not, unless it failed
		outcome = CommunicationCompleted
		if c.Status == SessionFailed {
			outcome = CommunicationFailed
		}
	}
	if m.Status.Status == CommunicationCanceled && !o.Late {
		return
	}
	s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: outcome, SessionID: c.SessionID, SessionStatus: c.Status, Results: c.Results, Reason: c.Reason, Answered: o.Received > 0})
}

// keepResults merges an agent's result fields into the contact, and into the
// communication they belong to. Fields for which the contact's document has no
// room are left out, and a decision says so.
func (s *State) keepResults(results Dict, m *Communication, now time.Time) {
	if len(results) == 0 {
		return
	}
	s.Dirty = true
	c := &s.Contact
	contact, own := c.Results, Dict(nil)
	c.Results = DictChange{Set: results}.apply(c.Results)
	if m != nil {
		own = m.Results
		m.Results = DictChange{Set: results}.apply(m.Results)
	}
	if c.bytes() <= MaxContactBytes {
		return
	}
	c.Results = contact
	if m != nil {
		m.Results = own
	}
	s.decide(now, DecisionFailed, "results_too_large", "The session's results were left out: the contact would be over its limit of 64 KiB", nil)
}
