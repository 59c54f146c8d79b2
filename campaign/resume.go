package campaign

import "time"

// SessionBrief is what a run that begins in the middle of a contact's life
// must know of a session.
type SessionBrief struct {
	ID              string        `json:"id"`
	CommunicationID string        `json:"communication_id"`
	Status          SessionStatus `json:"status"`
	Reason          string        `json:"reason,omitempty"`
	Results         Dict          `json:"results,omitempty"`
	Late            bool          `json:"late,omitempty"`
	At              time.Time     `json:"at"` // of its last message, else of its opening
	Turns           Turns         `json:"turns,omitempty"`
	Ask             string        `json:"ask,omitempty"` // the contact's last message, if nobody has answered it
}

// ResumeState begins a run from the store: a new contact, or one whose earlier
// run was lost (terminated, restarted, reset to its start). What was under way
// is taken up again: an opening that was being sent is planned anew, and the
// ledger says whether it left; open sessions wait on; a session that has ended
// and was not aggregated is.
//
// final is the contact's current stage if that is a final one.
func ResumeState(c Contact, sessions []SessionBrief, final *FinalStage, now time.Time) State {
	s := NewState(c)
	for i := range sessions { // ids of late sessions count on, also after the contact's end
		if sessions[i].Late {
			s.Late++
		}
	}
	if c.Status.Ended() {
		return s
	}
	s.Final = final
	for i := range sessions {
		if t := s.Trouble; t != nil && t.Sent != nil && t.Sent.SessionID == sessions[i].ID {
			t.Sent.Turns = sessions[i].Turns
		}
	}
	for i := range s.Contact.Communications {
		m := &s.Contact.Communications[i]
		m.Flagged = false
		if st := m.Status.Status; st == CommunicationPlanned || st.Final() {
			continue
		}
		s.takeUp(m, sessions, now)
	}
	for _, b := range sessions {
		if m := s.Contact.Communication(b.CommunicationID); b.Late && m != nil {
			if b.Status == SessionOpen {
				s.resume(b, m, m.Timeout, true)
			}
		}
	}
	return s
}

// resume waits on in an open session.
func (s *State) resume(b SessionBrief, m *Communication, timeout Duration, late bool) {
	s.Open = append(s.Open, Open{
		SessionID: b.ID, CommunicationID: m.ID, Timeout: timeout, Deadline: b.At.Add(time.Duration(timeout)), Late: late,
		Turns: b.Turns, Ask: b.Ask, Results: b.Results,
	})
	if b.Turns != TurnsNone && s.route(m.ID).CommunicationID == "" {
		s.Routes = append(s.Routes, Route{CommunicationID: m.ID, Turns: b.Turns})
	}
}

// takeUp continues one communication that was on its way.
func (s *State) takeUp(m *Communication, sessions []SessionBrief, now time.Time) {
	timeout := m.Timeout
	if timeout == 0 && m.Channel.Conversation() {
		timeout = Duration(m.Channel.Timeout())
	}
	for i := range sessions {
		b := &sessions[i]
		if b.CommunicationID != m.ID || b.Late {
			continue
		}
		if b.Status == SessionOpen {
			if m.Status.Status == CommunicationStarted && m.SessionID == "" {
				break // its opening may not have left
			}
			s.resume(*b, m, timeout, false)
		} else {
			s.Ended = append(s.Ended, Ending{
				CommunicationID: m.ID, Outcome: b.Status.RollUp(), SessionID: b.ID, SessionStatus: b.Status, Results: b.Results, Reason: b.Reason,
			})
		}
		return
	}
	switch {
	case m.Status.Status == CommunicationStarted:
		if s.Trouble == nil || s.Trouble.CommunicationID != m.ID {
			s.backToPlanned(m, now)
		}
	case timeout > 0:
		s.Open = append(s.Open, Open{CommunicationID: m.ID, Timeout: timeout, Deadline: m.Status.At.Add(time.Duration(timeout))})
	default:
		s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: CommunicationCompleted})
	}
}
