package campaign

import (
	"slices"
	"time"
)

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
	s.decide(now, DecisionOperator, "opt_out", upperFirst(s.Contact.Name)+" asks not to be written to any more by "+string(m.Channel), commData(m))
	if o.SessionID != "" && !s.isClosing(o) {
		s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: m.ID, Status: SessionDeclined, Reason: "opt_out"})
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

// lateAnswer takes an answer to a notification that has ended: it has no
// conversation to take up, so the answer is aggregated at once.
func (s *State) lateAnswer(m *Communication, e *Event, now time.Time) {
	d := messageData(m, e)
	d["late"] = true
	s.decide(now, DecisionReplied, "late", upperFirst(s.Contact.Name)+", late: "+excerpt(e.Content), d)
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
	s.Replies = append(s.Replies, e.MessageID)
	who := "Agent: "
	if e.Author == AuthorOperator {
		who = "Operator: "
	} else {
		s.Inputs = append(s.Inputs, *e)
	}
	s.decide(now, DecisionMessage, "", who+excerpt(e.Content), messageData(m, e))
	return []Command{s.spawn(Command{Kind: CommandReply, CommunicationID: m.ID, SessionID: e.SessionID, MessageID: e.MessageID, Queue: s.route(m.ID).Queue})}
}

// onReplySent takes the result of a message inside a session.
func (s *State) onReplySent(e *Event, now time.Time) {
	s.Replies = slices.DeleteFunc(s.Replies, func(id string) bool { return id == e.MessageID })
	s.Dirty = true
	m := s.Contact.Communication(e.CommunicationID)
	if m == nil || e.Sent == nil {
		return
	}
	d := commData(m)
	d["message_id"] = e.MessageID
	switch out := e.Sent; out.Outcome {
	case SendSent:
		s.Contact.Counts.Sent++
		m.advance(CommunicationSent, now)
	case SendUnknown:
		s.decide(now, DecisionUnknown, out.Reason, "Nobody knows whether the answer was sent ("+orElse(out.Detail, out.Reason)+")", d)
	default:
		s.decide(now, DecisionFailed, out.Reason, "The answer could not be sent ("+orElse(out.Detail, out.Reason)+")", d)
	}
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
	s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: o.CommunicationID, Status: status, Results: e.Results, Reason: e.Reason})
}

// onDelivery: the provider reports on an opening or a message of a session. Of
// messages inside a session only what did not arrive is told. Events of version
// 0.1 have no MessageID; what came with it is not done for them.
func (s *State) onDelivery(e *Event, now time.Time) {
	m := s.Contact.Communication(e.CommunicationID)
	if e.Delivery == ReportOptOut {
		s.optOut(m, e, now)
		return
	}
	if m == nil || m.Status.Status == CommunicationPlanned {
		return
	}
	if e.MessageID != "" && !m.opening(e.MessageID) {
		s.decide(now, DecisionFailed, e.Delivery, "The answer was not delivered ("+orElse(e.Reason, e.Delivery)+")", messageData(m, e))
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
		s.decide(now, DecisionSessionEnded, string(c.Status), "Session ended: "+m.Name+", "+words(string(c.Status)), d)
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
