package campaign

import "time"

// onMessage: the contact wrote. A message for a session that has ended opens a
// late one on the same communication.
func (s *State) onMessage(e *Event, now time.Time) []Command {
	if s.Contact.Status.Ended() || s.Stopping != "" {
		s.unmatched(e.ID)
		return nil
	}
	s.Contact.Counts.Received++
	s.Dirty = true
	if m := s.Contact.Communication(e.CommunicationID); m != nil {
		s.didLeave(m, now)
	}
	o := s.openSession(e.SessionID)
	if o == nil && e.SessionID == "" {
		o = s.openOf(e.CommunicationID)
	}
	if o == nil {
		return s.openLate(e, now)
	}
	m := s.Contact.Communication(o.CommunicationID)
	o.Received++
	s.reopen(o, now)
	s.ask(o, e)
	s.extend(o, m, now)
	if m == nil {
		return nil
	}
	kind := DecisionMessage
	if m.advance(CommunicationReplied, now) {
		kind = DecisionReplied
	}
	s.decide(now, kind, "", upperFirst(s.Contact.Name)+": "+excerpt(e.Content), messageData(m, e))
	if e.OptOut {
		s.leaveAlone(o, m, now)
	}
	if o.SessionID == "" && !s.isClosing(o) { // an answer ends a notification's wait
		s.Closing = append(s.Closing, Closing{CommunicationID: m.ID, Reason: "answered"})
	}
	return nil
}

// leaveAlone ends a session whose contact asks to be left alone: nobody answers.
func (s *State) leaveAlone(o *Open, m *Communication, now time.Time) {
	o.Ask = ""
	s.asksToBeLeft(m, now)
	if o.SessionID != "" && !s.isClosing(o) {
		s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: m.ID, Status: SessionDeclined, Reason: "opt_out"})
	}
}

func (s *State) asksToBeLeft(m *Communication, now time.Time) {
	s.decide(now, DecisionOptOut, "opt_out", upperFirst(s.Contact.Name)+" asks not to be written to any more by "+string(m.Channel), commData(m))
}

// onAnswer: an agent or an operator says something to the contact.
func (s *State) onAnswer(e *Event, now time.Time) []Command {
	s.provesLeft(e.SessionID, now)
	o := s.openSession(e.SessionID)
	if o == nil || s.Stopping != "" {
		s.decide(now, DecisionFailed, "session_ended", "The answer came after its session had ended and was not sent: "+excerpt(e.Content),
			map[string]any{"session_id": e.SessionID, "message_id": e.MessageID})
		return nil
	}
	m := s.Contact.Communication(o.CommunicationID)
	if m == nil {
		return nil
	}
	s.extend(o, m, now)
	who := "Agent: "
	if e.Author == AuthorOperator {
		who = orElse(e.Actor, "Operator") + ": "
	} else {
		s.Inputs = append(s.Inputs, *e)
	}
	s.decide(now, DecisionMessage, "", who+excerpt(e.Content), messageData(m, e))
	return s.reply(Reply{MessageID: e.MessageID, SessionID: e.SessionID, CommunicationID: m.ID, Author: e.Author}, e.Ordered)
}

// provesLeft: whoever talks in a session knows that its opening has left.
func (s *State) provesLeft(sessionID string, now time.Time) {
	for i := range s.Contact.Communications {
		if m := &s.Contact.Communications[i]; sessionID != "" && m.SessionID == sessionID {
			s.didLeave(m, now)
		}
	}
}

// onResult: an agent or an operator ends the session. What they found out is
// kept even if the session has ended meanwhile.
func (s *State) onResult(e *Event, now time.Time) {
	s.provesLeft(e.SessionID, now)
	o := s.openSession(e.SessionID)
	if o == nil || s.isClosing(o) {
		s.keepResults(e.Results, nil, now)
		s.decide(now, DecisionSessionEnded, "too_late", "A result came after its session had ended; its fields are kept", map[string]any{"session_id": e.SessionID})
		return
	}
	status := e.Status
	if !status.Ended() {
		status = SessionUnknown
	}
	s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: o.CommunicationID, Status: status, Results: e.Results, Reason: e.Reason, Actor: e.Actor})
}

// reopen notes that a session goes on whose time was over by now: a dead
// attempt of the same workflow task may have closed it in the store already.
func (s *State) reopen(o *Open, now time.Time) {
	if o.SessionID != "" && !o.Deadline.IsZero() && !o.Deadline.After(now) && !s.isClosing(o) {
		s.Reopened = append(s.Reopened, o.SessionID)
	}
}

// extend counts the wait anew from a message of either side.
func (s *State) extend(o *Open, m *Communication, now time.Time) {
	if m != nil && m.Timeout > 0 {
		o.Timeout = m.Timeout
	}
	if o.Timeout > 0 {
		o.Deadline = now.Add(time.Duration(o.Timeout))
	}
}

func messageData(m *Communication, e *Event) map[string]any {
	d := commData(m)
	d["content"] = e.Content
	if e.MessageID != "" {
		d["message_id"] = e.MessageID
	}
	if e.SessionID != "" {
		d["session_id"] = e.SessionID
	}
	return d
}

func excerpt(s string) string {
	const limit = 120
	for i := range s {
		if i >= limit {
			return s[:i] + "…"
		}
	}
	return s
}

func upperFirst(s string) string { return orElse(s, "The contact") }

func words(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] == '_' {
			b[i] = ' '
		}
	}
	return string(b)
}
