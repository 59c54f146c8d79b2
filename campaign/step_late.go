package campaign

import (
	"slices"
	"time"
)

func (s *State) openLate(e *Event, now time.Time) []Command {
	var m *Communication
	for i := range s.Contact.Communications {
		c := &s.Contact.Communications[i]
		if c.ID == e.CommunicationID || e.SessionID != "" && c.SessionID == e.SessionID {
			m = c
		}
	}
	if m == nil || m.Status.Status == CommunicationPlanned { // there is no talk to take it up
		s.unmatched(e.ID)
		return nil
	}
	if m.SessionID == "" && e.SessionID == "" {
		s.lateAnswer(m, e, now)
		return nil
	}
	if e.OptOut { // nobody answers, so there is nothing to open
		s.lateStop(m, e, now)
		return nil
	}
	if o := s.lateOf(m.ID); o != nil { // a burst: the first of it opened the session
		o.Received++
		s.ask(o, e)
		s.extend(o, m, now)
		d := messageData(m, e)
		d["late"], d["session_id"] = true, o.SessionID
		s.decide(now, DecisionMessage, "late", upperFirst(s.Contact.Name)+", late: "+excerpt(e.Content), d)
		return []Command{s.spawn(Command{Kind: CommandOpenLate, CommunicationID: m.ID, SessionID: o.SessionID, From: orElse(e.SessionID, m.SessionID), MessageID: e.MessageID})}
	}
	s.Late++
	timeout := m.Timeout
	if timeout == 0 {
		timeout = Duration(m.Channel.Timeout())
	}
	o := Open{SessionID: LateSessionID(m.ID, s.Late), CommunicationID: m.ID, Timeout: timeout, Deadline: now.Add(time.Duration(timeout)), Late: true, Received: 1, Turns: s.route(m.ID).Turns}
	s.ask(&o, e)
	s.Open = append(s.Open, o)
	d := messageData(m, e)
	d["late"], d["session_id"] = true, o.SessionID
	s.decide(now, DecisionReplied, "late", upperFirst(s.Contact.Name)+", late: "+excerpt(e.Content), d)
	return []Command{s.spawn(Command{Kind: CommandOpenLate, CommunicationID: m.ID, SessionID: o.SessionID, From: orElse(e.SessionID, m.SessionID), MessageID: e.MessageID})}
}

// lateStop takes the word to stop of a contact whose session has ended; a late one
// that is open ends with it.
func (s *State) lateStop(m *Communication, e *Event, now time.Time) {
	d := messageData(m, e)
	d["late"] = true
	s.decide(now, DecisionReplied, "late", upperFirst(s.Contact.Name)+", late: "+excerpt(e.Content), d)
	if o := s.lateOf(m.ID); o != nil {
		o.Received++
		s.leaveAlone(o, m, now)
		return
	}
	s.asksToBeLeft(m, now)
}

// lateAnswer takes an answer to a notification that has ended: it has no
// conversation to take up, so the answer is aggregated at once.
func (s *State) lateAnswer(m *Communication, e *Event, now time.Time) {
	d := messageData(m, e)
	d["late"] = true
	s.decide(now, DecisionReplied, "late", upperFirst(s.Contact.Name)+", late: "+excerpt(e.Content), d)
	if e.OptOut {
		s.asksToBeLeft(m, now)
	}
	for i := range s.Ended {
		if x := &s.Ended[i]; x.CommunicationID == m.ID && (i > 0 || s.Job == nil || s.Job.Ending == nil) { // it waits to be aggregated
			x.Answered, x.Said = true, e.Content
			return
		}
	}
	if st := m.Status.Status; st == CommunicationCompleted || st == CommunicationNoResponse || st == CommunicationFailed {
		s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: CommunicationCompleted, Reason: "late_answer", Answered: true, Said: e.Content})
	}
}

// unmatched leaves a message to the people who look after what nobody could take.
func (s *State) unmatched(eventID string) {
	if eventID == "" {
		return
	}
	s.Taken = slices.DeleteFunc(s.Taken, func(id string) bool { return id == eventID })
	s.Unmatched = append(s.Unmatched, eventID)
}
