package campaign

import (
	"slices"
	"time"
)

// CanOperate says why an operation does not fit the contact as it is, or nil.
func (s *State) CanOperate(op *Operation) error {
	c := &s.Contact
	ended := c.Status.Ended()
	switch op.Action {
	case OperateRetry:
		if s.Trouble == nil && len(s.Unheard) == 0 {
			return Errorf(CodeConflict, "the contact is %s: there is nothing to retry", c.Status)
		}
	case OperateSkip:
		if ended || s.Trouble == nil && len(s.Unheard) == 0 && c.Next() == nil {
			return Errorf(CodeConflict, "the contact is %s and nothing is planned: there is nothing to skip", c.Status)
		}
	case OperateStop, OperatePause:
		if ended {
			return Errorf(CodeConflict, "the contact is %s already", c.Status)
		}
		if op.Action == OperatePause && c.Paused {
			return Errorf(CodeConflict, "the contact is paused already")
		}
	case OperateResume:
		if !c.Paused {
			return Errorf(CodeConflict, "the contact is not paused")
		}
	case OperateMove:
		if c.Status == ContactStopped {
			return Errorf(CodeConflict, "the contact is stopped")
		}
		if op.StageName == "" {
			return Invalid("stage_name", "name the stage to move to")
		}
		if op.SendNow && len(c.Communications) >= MaxCommunications {
			return Errorf(CodeConflict, "the contact has %d communications, which is the limit", MaxCommunications)
		}
	case OperateReschedule:
		m := c.Communication(op.CommunicationID)
		if m == nil {
			return Invalid("communication_id", "the contact has no communication %q", op.CommunicationID)
		}
		if m.Status.Status != CommunicationPlanned {
			return Errorf(CodeConflict, "%s is %s; only a planned communication can be rescheduled", m.ID, m.Status.Status)
		}
		if op.StartDate == nil {
			return Invalid("start_date", "give the new date")
		}
	default:
		return Invalid("action", "%q is not retry, skip, move, stop, pause, resume or reschedule", op.Action)
	}
	return nil
}

// operate carries an operator's decision out; one that does not fit (any more)
// changes nothing.
func (s *State) operate(op *Operation, now time.Time) []Command {
	if op == nil || s.CanOperate(op) != nil {
		return nil
	}
	c := &s.Contact
	data := map[string]any{"action": op.Action, "actor": op.Actor}
	aside := s.Trouble == nil && len(s.Unheard) > 0 // what keeps the contact waiting is decided first
	if aside && (op.Action == OperateRetry || op.Action == OperateSkip) {
		data["message_id"] = s.Unheard[0].Reply.MessageID
	}
	s.decide(now, DecisionOperator, op.Action, upper(op.Action)+" by "+orElse(op.Actor, "an operator"), data)
	switch op.Action {
	case OperateRetry:
		if aside {
			return s.sayAgain()
		}
		s.retry(op, now)
	case OperateSkip:
		if aside {
			s.leaveUnheard()
			return nil
		}
		s.skipByOperator(now)
	case OperatePause:
		c.Paused = true
	case OperateResume:
		c.Paused = false
		s.applyResume(op.Policy, 0, now)
	case OperateStop:
		s.Stopping = orElse(op.Reason, "stopped by an operator")
	case OperateReschedule:
		s.dropDeferral(op.CommunicationID)
		m := c.Communication(op.CommunicationID)
		m.StartDate = op.StartDate.UTC().Truncate(time.Microsecond)
	case OperateMove:
		if aside {
			s.leaveUnheard()
		}
		s.move(op, now)
	}
	return nil
}

func (s *State) retry(op *Operation, now time.Time) {
	t := *s.Trouble
	s.Trouble = nil
	if t.Kind == TroubleStrategy || t.Kind == TroubleTurn {
		return // the head of Ended is aggregated again; the agent is asked again
	}
	if m := s.Contact.Communication(t.CommunicationID); m != nil && (!m.Status.Status.Final() || m.Status.Status == CommunicationSkipped && t.Reason == "max_attempts") {
		if t.Kind == TroubleUnknown {
			m.Attempt++ // a new row of the ledger: the operator takes the risk
			switch {
			case !op.Anew: // a history of version 0.1, which goes on as it began
				s.Granted = append(s.Granted, m.ID)
			case t.Sent != nil && t.Sent.SessionID != "":
				s.Open = append(s.Open, Open{SessionID: t.Sent.SessionID, CommunicationID: m.ID})
				s.Closing = append(s.Closing, Closing{SessionID: t.Sent.SessionID, CommunicationID: m.ID, Status: SessionUnknown, Reason: "sent_again", Dropped: true})
				m.SessionID = ""
			}
		}
		s.backToPlanned(m, now)
	}
}

func (s *State) skipByOperator(now time.Time) {
	t := s.Trouble
	s.Trouble = nil
	switch {
	case t == nil:
		s.skip(s.Contact.Next(), "operator", "skipped by an operator", now)
	case t.Kind == TroubleStrategy && len(s.Ended) > 0:
		if m := s.Contact.Communication(s.Ended[0].CommunicationID); m != nil {
			s.closeEnded(m, s.Ended[0], now)
		}
		s.Ended = s.Ended[1:]
	case t.Kind == TroubleTurn:
		s.dropAsked(t.CommunicationID)
	default:
		m := s.Contact.Communication(t.CommunicationID)
		if m == nil || m.Status.Status.Final() {
			return
		}
		if t.Kind == TroubleUnknown {
			if t.Sent != nil && t.Sent.SessionID != "" { // its session was opened for it; aggregation follows its end
				s.endUnknown(m, t.Sent)
				return
			}
			m.end(CommunicationFailed, now, "unknown")
			s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: CommunicationFailed, Reason: "unknown"})
			return
		}
		s.skip(m, "operator", "skipped by an operator", now)
	}
}

func (s *State) move(op *Operation, now time.Time) {
	if s.Trouble != nil {
		if s.Trouble.Kind == TroubleStrategy && len(s.Ended) > 0 {
			if m := s.Contact.Communication(s.Ended[0].CommunicationID); m != nil {
				s.closeEnded(m, s.Ended[0], now)
			}
			s.Ended = s.Ended[1:]
		} else if s.Trouble.Kind == TroubleTurn {
			s.dropAsked(s.Trouble.CommunicationID)
		} else if m := s.Contact.Communication(s.Trouble.CommunicationID); m != nil && !m.Status.Status.Final() {
			m.end(CommunicationCanceled, now, "moved by an operator")
			if t := s.Trouble; t.Kind == TroubleUnknown && t.Sent != nil && t.Sent.SessionID != "" {
				s.endUnknown(m, t.Sent)
			}
		}
		s.Trouble = nil
	}
	s.moveTo(op.StageName, now)
	s.Final = nil
	if op.Final != nil {
		if !s.Contact.Status.Ended() {
			s.reach(*op.Final, nil, now)
		}
		return
	}
	if op.SendNow && !s.dueNow(op.StageName, now) {
		m := Communication{
			ID: CommunicationID(s.Contact.ID, len(s.Contact.Communications)+1), Name: op.StageName,
			StageName: op.StageName, StageID: op.StageID, StartDate: now, Status: StatusAt{Status: CommunicationPlanned, At: now},
		}
		s.Contact.Communications = append(s.Contact.Communications, m)
		if s.Contact.Status.Ended() {
			s.Contact.Status, s.Contact.EndedAt = ContactActive, nil
		}
		s.decide(now, DecisionPlanned, "", "Planned: "+m.Name+" now", commData(&m))
	}
}

// dueNow reports whether a move to the stage has planned its communication
// already, so that a move that is repeated sends once.
func (s *State) dueNow(stage string, now time.Time) bool {
	return slices.ContainsFunc(s.Contact.Communications, func(m Communication) bool {
		return m.Status.Status == CommunicationPlanned && m.StageName == stage && m.Name == stage && !m.StartDate.After(now)
	})
}

// endUnknown closes the session of a send of unknown outcome.
func (s *State) endUnknown(m *Communication, out *SendOutcome) {
	s.Open = append(s.Open, Open{SessionID: out.SessionID, CommunicationID: m.ID})
	s.Closing = append(s.Closing, Closing{SessionID: out.SessionID, CommunicationID: m.ID, Status: SessionUnknown, Reason: "unknown"})
}

// advanceStop cancels what is planned, closes what is open, refuses what
// waits, and ends the contact when nothing is under way any more.
func (s *State) advanceStop(now time.Time) []Command {
	s.cancelPlanned(s.Stopping, nil, now)
	if t := s.Trouble; t != nil && t.Kind == TroubleUnknown {
		if m := s.Contact.Communication(t.CommunicationID); m != nil && !m.Status.Status.Final() {
			m.end(CommunicationFailed, now, "unknown")
			if t.Sent != nil && t.Sent.SessionID != "" {
				s.Open = append(s.Open, Open{SessionID: t.Sent.SessionID, CommunicationID: m.ID})
			}
		}
	}
	s.Trouble, s.Unheard = nil, nil
	for i := range s.Open {
		o := &s.Open[i]
		if !s.isClosing(o) {
			s.Closing = append(s.Closing, Closing{SessionID: o.SessionID, CommunicationID: o.CommunicationID, Status: SessionCanceled, Reason: "stopped"})
		}
	}
	for i := range s.Closing {
		s.Closing[i].Timeout = false
	}
	if s.Job != nil {
		return nil
	}
	if c := s.nextClose(); c != nil {
		return s.start(*c)
	}
	for _, e := range s.Inputs {
		if e.Kind == EventImport {
			s.settle(e.Import, &RowError{Line: e.Import.Line, Reason: "the contact was stopped; nothing is changed"})
		}
	}
	s.Inputs = nil
	for _, e := range s.Ended {
		if m := s.Contact.Communication(e.CommunicationID); m != nil {
			s.closeEnded(m, e, now)
		}
	}
	s.Ended = nil
	if s.Sending == "" && len(s.Replies) == 0 {
		s.Holds, s.Deferrals = nil, nil
		s.Contact.Communications = slices.Clone(s.Contact.Communications)
		s.finish(ContactStopped, s.Stopping, now)
	}
	return nil
}
