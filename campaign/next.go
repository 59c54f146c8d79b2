package campaign

import "time"

// Wake returns when time itself will have something to do, if nothing else
// happens first.
func (s *State) Wake() (at time.Time, why string, ok bool) {
	if s.Contact.Status.Ended() || s.frozen() || s.Job != nil { // a job's result wakes it
		return time.Time{}, "", false
	}
	if m, due := s.nextDispatch(); m != nil {
		at, why, ok = due, m.Name+" at stage "+m.StageName, true
	}
	if o := s.nextTimeout(); o != nil && (!ok || o.Deadline.Before(at)) {
		at, why, ok = o.Deadline, "wait for an answer", true
		if m := s.Contact.Communication(o.CommunicationID); m != nil {
			why = "wait for an answer to " + m.Name
		}
	}
	return at, why, ok
}

// frozen reports that the contact does nothing by itself for now.
func (s *State) frozen() bool { return s.Contact.Paused || s.Trouble != nil || s.Stopping != "" }

// nextDispatch returns the planned communication to go next and when. While an
// opening is being sent, none goes: the answer to the first may cancel it.
func (s *State) nextDispatch() (*Communication, time.Time) {
	if s.Sending != "" {
		return nil, time.Time{}
	}
	var next *Communication
	var at time.Time
	for i := range s.Contact.Communications {
		m := &s.Contact.Communications[i]
		if m.Status.Status != CommunicationPlanned || s.held(m.ID, false) {
			continue
		}
		due := s.dueAt(m)
		if next == nil || due.Before(at) {
			next, at = m, due
		}
	}
	return next, at
}

// dueAt is when a planned communication may go.
func (s *State) dueAt(m *Communication) time.Time {
	due := m.StartDate
	for _, d := range s.Deferrals {
		if d.CommunicationID == m.ID && d.Until.After(due) {
			due = d.Until
		}
	}
	return due
}

func (s *State) nextTimeout() *Open {
	var next *Open
	for i := range s.Open {
		o := &s.Open[i]
		if !o.Deadline.IsZero() && !o.owed() && !s.held(o.CommunicationID, true) && !s.isClosing(o) && (next == nil || o.Deadline.Before(next.Deadline)) {
			next = o
		}
	}
	return next
}

// Blockers says in words what keeps the contact from going on by itself.
func (s *State) Blockers() []string {
	var why []string
	if s.Contact.Paused {
		why = append(why, "the contact is paused")
	}
	if s.Trouble != nil {
		why = append(why, "needs attention: "+orElse(s.Trouble.Detail, s.Trouble.Reason))
	}
	for i := range s.Unheard {
		why = append(why, "needs attention before it can end: "+s.Unheard[i].Detail)
	}
	if s.Stopping != "" {
		why = append(why, "it is being stopped: "+s.Stopping)
	}
	for _, h := range s.Holds {
		if m := s.Contact.Communication(h.CommunicationID); m != nil {
			what := m.Name + " is held: "
			if h.Turn {
				what = "an answer in " + m.Name + " waits: "
			}
			why = append(why, what+heldText(h.Cause))
		}
	}
	for _, d := range s.Deferrals {
		if m := s.Contact.Communication(d.CommunicationID); m != nil && m.Status.Status == CommunicationPlanned {
			why = append(why, m.Name+" may not go before "+d.Until.UTC().Format(time.RFC3339))
		}
	}
	return why
}
