package campaign

import (
	"slices"
	"time"
)

// Step takes one event into the state and returns what must be done next. It
// is deterministic: the same state, event and moment give the same state and
// commands. The workflow, the property tests and, for a contact without a
// workflow, the API all run this one function.
//
// Gates, strategies and closings are serial: at most one is under way. Sends
// run beside them. No communication is dispatched while something that may
// change the plan (an ending to aggregate, a row, an answer) is waiting.
func (s *State) Step(e Event, now time.Time) []Command {
	now = now.UTC().Truncate(time.Microsecond)
	if !s.first(e.ID) {
		return nil
	}
	if e.ID != "" && e.Kind != EventImport { // a row is taken when it is settled
		s.Taken = append(s.Taken, e.ID)
	}
	cmds := s.handle(&e, now)
	cmds = append(cmds, s.advance(now)...)
	s.prune()
	cmds = append(cmds, s.turns()...)
	cmds = append(cmds, s.surrender(now)...)
	s.refresh(now)
	return cmds
}

func (s *State) handle(e *Event, now time.Time) []Command {
	if s.early(e) {
		s.Early, s.Dirty = append(s.Early, *e), true
		return nil
	}
	switch e.Kind {
	case EventTick:
	case EventMessage:
		return s.onMessage(e, now)
	case EventAnswer:
		return s.onAnswer(e, now)
	case EventResult:
		s.onResult(e, now)
	case EventDelivery:
		s.onDelivery(e, now)
	case EventImport:
		s.Inputs = append(s.Inputs, *e)
	case EventRelease:
		s.onRelease(e.Release, now)
	case EventOperate:
		return s.operate(e.Operation, now)
	case EventPerson:
		s.onPerson(e, now)
	case EventLinked:
		s.onLinked(e, now)
	case EventGated:
		return s.onGated(e, now)
	case EventSent:
		return s.onSent(e, now)
	case EventReplySent:
		return s.onReplySent(e, now)
	case EventTurned:
		return s.onTurned(e, now)
	case EventDecided:
		s.onDecided(e, now)
	case EventClosed:
		s.onClosed(e, now)
	}
	return nil
}

// early reports that an event is about the communication whose opening is
// being sent: the contact or the provider was faster than the result of the
// send, and is heard right after it.
func (s *State) early(e *Event) bool {
	switch e.Kind {
	case EventMessage, EventAnswer, EventResult, EventDelivery, EventPerson:
		return s.Sending != "" && s.openSession(e.SessionID) == nil && (e.CommunicationID == s.Sending || e.SessionID == SessionID(s.Sending))
	default:
		return false
	}
}

// advance starts what can be started now, in this order: close what must be
// closed, let strategies see what they must see, end what timed out, dispatch
// what is due, complete.
func (s *State) advance(now time.Time) []Command {
	if s.Stopping != "" {
		return s.advanceStop(now)
	}
	s.endWaits()
	for s.Job == nil {
		if c := s.nextClose(); c != nil {
			return s.start(*c)
		}
		if c := s.nextInput(); c != nil {
			return s.start(*c)
		}
		if s.Contact.Status.Ended() {
			return nil
		}
		if len(s.Ended) > 0 && s.Trouble == nil {
			e := s.Ended[0]
			if m := s.Contact.Communication(e.CommunicationID); m != nil {
				m.Flagged = true
			}
			return s.start(Command{Kind: CommandStrategy, Type: Aggregation, CommunicationID: e.CommunicationID, SessionID: e.SessionID, Ending: &e})
		}
		if !s.frozen() {
			if o := s.nextTimeout(); o != nil && !o.Deadline.After(now) {
				s.timeOut(o)
				continue
			}
			if m, due := s.nextDispatch(); m != nil && !due.After(now) && len(s.Inputs) == 0 {
				if m.ExpiresAt != nil && !m.ExpiresAt.After(now) {
					s.skip(m, "expired", "its time ("+m.ExpiresAt.UTC().Format(time.RFC3339)+") had passed", now)
					continue
				}
				return s.start(Command{Kind: CommandGate, CommunicationID: m.ID})
			}
		}
		s.complete(now)
		return nil
	}
	return nil
}

// start makes the command the one serial job.
func (s *State) start(c Command) []Command {
	s.Steps++
	c.Step = s.Steps
	s.Job = &c
	return []Command{c}
}

// spawn numbers a command that runs beside the serial job.
func (s *State) spawn(c Command) Command {
	s.Steps++
	c.Step = s.Steps
	return c
}

// jobDone ends the serial job if it is of the kind.
func (s *State) jobDone(kind CommandKind) (Command, bool) {
	if s.Job == nil || s.Job.Kind != kind {
		return Command{}, false
	}
	c := *s.Job
	s.Job, s.Dirty = nil, true
	return c, true
}

// complete ends the contact when nothing is planned or open any more and it has
// reached a final stage, or nobody is there to plan anything.
func (s *State) complete(now time.Time) {
	if s.Final == nil && !s.Unguided || s.Trouble != nil || len(s.Unheard) > 0 || !s.nothingLeft() {
		return
	}
	if s.Final == nil {
		s.finish(ContactCompleted, "nothing is planned and there is no aggregation strategy", now)
		return
	}
	c := &s.Contact
	c.CurrentStage = s.Final.Name
	if s.Final.Outcome != OutcomeNone {
		c.Outcome = s.Final.Outcome
	}
	s.finish(ContactCompleted, "reached the final stage "+s.Final.Name, now)
}

func (s *State) finish(as ContactStatus, why string, now time.Time) {
	s.Contact.Status, s.Contact.EndedAt = as, &now
	s.Final, s.Stopping, s.Unguided = nil, "", false
	kind := DecisionCompleted
	if as == ContactStopped {
		kind = DecisionStopped
	}
	data := map[string]any{}
	if s.Contact.Outcome != OutcomeNone {
		data["outcome"] = string(s.Contact.Outcome)
	}
	s.decide(now, kind, string(s.Contact.Outcome), upper(string(as))+": "+why, data)
}

func (s *State) nothingLeft() bool {
	return s.Contact.Next() == nil && len(s.Open) == 0 && len(s.Closing) == 0 && len(s.Ended) == 0 && len(s.Inputs) == 0 &&
		s.Job == nil && s.Sending == "" && len(s.Replies) == 0
}

// reach marks a final stage as reached and cancels what was planned before,
// save the communications named in keep.
func (s *State) reach(f FinalStage, keep []string, now time.Time) {
	s.Final = &f
	s.cancelPlanned("the contact reached "+f.Name, keep, now)
}

func (s *State) cancelPlanned(why string, keep []string, now time.Time) {
	for i := range s.Contact.Communications {
		m := &s.Contact.Communications[i]
		if m.Status.Status == CommunicationPlanned && !slices.Contains(keep, m.ID) {
			m.end(CommunicationCanceled, now, why)
			s.decide(now, DecisionSkipped, "canceled", "Canceled "+m.Name+": "+why, commData(m))
		}
	}
}

// skip ends a planned communication without sending it; aggregation sees it.
func (s *State) skip(m *Communication, reason, why string, now time.Time) {
	m.end(CommunicationSkipped, now, reason)
	s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: CommunicationSkipped, Reason: reason})
	s.decide(now, DecisionSkipped, reason, "Not sent: "+m.Name+" ("+why+")", commData(m))
}

// prune forgets holds and deferrals of what is not planned or open any more.
func (s *State) prune() {
	planned := func(id string) bool {
		m := s.Contact.Communication(id)
		return m != nil && m.Status.Status == CommunicationPlanned
	}
	open := func(id string) bool {
		return slices.ContainsFunc(s.Open, func(o Open) bool { return o.CommunicationID == id })
	}
	s.Holds = slices.DeleteFunc(s.Holds, func(h CommHold) bool {
		inside := h.Timeout || h.Turn
		return inside && !open(h.CommunicationID) || !inside && !planned(h.CommunicationID)
	})
	s.Deferrals = slices.DeleteFunc(s.Deferrals, func(d Deferral) bool { return !planned(d.CommunicationID) })
	s.Tried = slices.DeleteFunc(s.Tried, func(t Tried) bool {
		m := s.Contact.Communication(t.CommunicationID)
		return m == nil || m.Status.Status.Final()
	})
}

// refresh derives what readers of the contact see from the state.
func (s *State) refresh(now time.Time) {
	c := &s.Contact
	before := struct {
		status ContactStatus
		idle   bool
		held   bool
	}{c.Status, c.Idle, c.Held != nil}
	c.Attention, c.Held, c.Idle, c.NextActionAt = nil, nil, false, nil
	if c.Status.Ended() {
		s.Dirty = s.Dirty || before.idle || before.held
		if s.Dirty {
			c.UpdatedAt = now
		}
		return
	}
	if c.Status != ContactPending {
		c.Status = ContactActive
	}
	if c.Attention = s.attention(); c.Attention != nil {
		c.Status = ContactNeedsAttention
	}
	for i := range s.Holds {
		if h := s.Holds[i].Hold; c.Held == nil || h.Since.Before(c.Held.Since) {
			c.Held = &h
		}
	}
	c.Idle = c.Status == ContactActive && s.Final == nil && s.nothingLeft()
	if at, _, ok := s.Wake(); ok {
		at = at.UTC()
		c.NextActionAt = &at
	}
	if before.status != c.Status || before.idle != c.Idle || before.held != (c.Held != nil) {
		s.Dirty = true
	}
	if s.Dirty {
		c.UpdatedAt = now
	}
}

func commData(m *Communication) map[string]any {
	d := map[string]any{"communication_id": m.ID, "name": m.Name, "stage": m.StageName}
	if m.Channel != "" {
		d["channel"] = string(m.Channel)
	}
	if m.Alternative != "" {
		d["alternative"] = m.Alternative
	}
	if m.SessionID != "" {
		d["session_id"] = m.SessionID
	}
	return d
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
