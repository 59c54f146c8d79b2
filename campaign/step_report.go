package campaign

import "time"

// onDelivery: the provider reports on an opening or a message of a session. Of
// messages inside a session only what did not arrive is told, and what became of
// those of which nobody knew. Events of version
// 0.1 have no MessageID; what came with it is not done for them.
func (s *State) onDelivery(e *Event, now time.Time) {
	m := s.Contact.Communication(e.CommunicationID)
	if e.Status.Ended() {
		s.suppressed(e, now)
		return
	}
	if e.Delivery == ReportOptOut {
		s.optOut(m, e, now)
		return
	}
	if m == nil || m.Status.Status == CommunicationPlanned {
		return
	}
	if e.MessageID != "" && !m.opening(e.MessageID) {
		s.answerReported(m, e, now)
		return
	}
	if e.Delivery != ReportFailed && (e.Delivery != ReportBounced || e.MessageID != "") { // a bounce comes back of what left
		s.didLeave(m, now)
	}
	o := s.openOf(m.ID)
	switch e.Delivery {
	case ReportDelivered, ReportRead:
		s.arrived(m, e.Delivery, now)
		s.onArrived(o)
	case ReportBounced, ReportFailed:
		s.decide(now, DecisionFailed, e.Delivery, "Not delivered: "+m.Name+" ("+orElse(e.Reason, e.Delivery)+")", commData(m))
		if e.Delivery == ReportFailed && e.MessageID != "" && s.neverLeft(m, now) {
			return
		}
		if o != nil && !s.isClosing(o) && m.Status.Status.rank() <= CommunicationRead.rank() {
			s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: m.ID, Status: SessionFailed, Reason: e.Delivery})
		}
	}
}

// arrived moves a communication on, or only says so on the timeline of one that
// has ended.
func (s *State) arrived(m *Communication, report string, now time.Time) {
	to, kind, reason, did := CommunicationDelivered, DecisionDelivered, "", "delivered"
	if report == ReportRead {
		to, kind, did = CommunicationRead, DecisionRead, "read"
	}
	if m.Status.Status == CommunicationFailed {
		reason, did = "after_failed", "after all, "+did
	}
	if m.advance(to, now) || m.Status.Status.Final() {
		s.decide(now, kind, reason, upper(did)+": "+m.Name, commData(m))
	}
}

// optOut notes that the person wants no more messages; the suppression that
// stops them is there already.
func (s *State) optOut(m *Communication, e *Event, now time.Time) {
	data := map[string]any{}
	if m != nil {
		data = commData(m)
	}
	s.decide(now, DecisionOptOut, orElse(e.Reason, ReportOptOut), upperFirst(s.Contact.Name)+" wants no more messages ("+words(orElse(e.Reason, ReportOptOut))+")", data)
}

// suppressed ends a session as a word to stop in it does: its person is not to be
// written to any more, or its address reaches nobody. One whose opening nobody
// knows to have left ends too, whether it did or not. What has ended or is about
// to says nothing more.
func (s *State) suppressed(e *Event, now time.Time) {
	o := s.openSession(e.SessionID)
	if t := s.Trouble; o == nil && t != nil && t.Kind == TroubleUnknown && t.Sent != nil && t.Sent.SessionID == e.SessionID && s.Stopping == "" {
		s.Trouble = nil
		s.Open = append(s.Open, Open{SessionID: e.SessionID, CommunicationID: t.CommunicationID})
		o = &s.Open[len(s.Open)-1]
	}
	if o == nil || s.isClosing(o) || s.Stopping != "" {
		return
	}
	m := s.Contact.Communication(o.CommunicationID)
	if m == nil {
		return
	}
	o.Ask = ""
	if e.Delivery != ReportCovered {
		kind, d := DecisionOptOut, commData(m)
		if e.Delivery == ReportBounced {
			kind = DecisionFailed
		}
		d["session_id"] = o.SessionID
		s.decide(now, kind, e.Reason, upperFirst(s.Contact.Name)+" is not contacted any more by "+string(m.Channel)+" ("+words(e.Reason)+")", d)
	}
	s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: m.ID, Status: e.Status, Reason: e.Reason})
}

// neverLeft ends a send of unknown outcome as failed once the provider says
// that it did not carry the message.
func (s *State) neverLeft(m *Communication, now time.Time) bool {
	t := s.Trouble
	if t == nil || t.Kind != TroubleUnknown || t.CommunicationID != m.ID || m.Status.Status.Final() {
		return false
	}
	s.Trouble = nil
	if t.Sent != nil && t.Sent.SessionID != "" { // aggregation follows the end of its session
		s.Open = append(s.Open, Open{SessionID: t.Sent.SessionID, CommunicationID: m.ID})
		s.Closing = append(s.Closing, Closing{SessionID: t.Sent.SessionID, CommunicationID: m.ID, Status: SessionFailed, Reason: ReportFailed})
		return true
	}
	m.end(CommunicationFailed, now, ReportFailed)
	s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: CommunicationFailed, Reason: ReportFailed})
	return true
}

// onArrived ends the wait of a notification that completes when delivered.
func (s *State) onArrived(o *Open) {
	if o != nil && o.OnDelivered && !s.isClosing(o) {
		s.Closing = append(s.Closing, Closing{CommunicationID: o.CommunicationID, Reason: "delivered"})
	}
}
