package campaign

import (
	"fmt"
	"slices"
	"time"
)

// nextInput returns the strategy call for the oldest row or answer that a
// strategy must see. Rows for a stopped contact are refused at once.
func (s *State) nextInput() *Command {
	for len(s.Inputs) > 0 {
		e := &s.Inputs[0]
		if e.Kind == EventImport && s.Contact.Status == ContactStopped {
			s.settle(e.Import, &RowError{Line: e.Import.Line, Reason: "the contact was stopped; nothing is changed"})
			s.Inputs = s.Inputs[1:]
			continue
		}
		if e.Kind == EventAnswer && s.Contact.Status.Ended() {
			s.Inputs = s.Inputs[1:]
			continue
		}
		if e.Kind == EventImport {
			return &Command{Kind: CommandStrategy, Type: DataLoad, Import: e.Import}
		}
		return &Command{
			Kind: CommandStrategy, Type: AgentAnswer, CommunicationID: e.CommunicationID, SessionID: e.SessionID,
			Message: &Message{ID: e.MessageID, SessionID: e.SessionID, Author: e.Author, Content: e.Content},
		}
	}
	return nil
}

func (s *State) settle(r *RowImport, err *RowError) {
	s.Settled = append(s.Settled, RowSettle{ImportID: r.ImportID, Line: r.Line, Error: err})
	s.Taken = append(s.Taken, fmt.Sprintf("%s:%d", r.ImportID, r.Line)) // not before: a lost run must find it again
	s.Dirty = true
}

// onDecided takes the result of a strategy over into the contact.
func (s *State) onDecided(e *Event, now time.Time) {
	job, ok := s.jobDone(CommandStrategy)
	if !ok || e.Decided == nil {
		return
	}
	switch job.Type {
	case Aggregation:
		s.onAggregated(&job, e.Decided, now)
	case DataLoad:
		s.Inputs = s.Inputs[1:]
		s.onLoaded(&job, e.Decided, now)
	case AgentAnswer:
		s.Inputs = s.Inputs[1:]
		if e.Decided.Error != nil {
			s.decideRun(&job, e.Decided, nil, now)
			return
		}
		s.take(&job, e.Decided, false, now)
	}
}

func (s *State) onAggregated(job *Command, out *StrategyOutcome, now time.Time) {
	m := s.Contact.Communication(job.CommunicationID)
	if m == nil {
		return
	}
	if out.Error != nil {
		m.Flagged = false
		s.decideRun(job, out, nil, now)
		if s.Trouble == nil { // else the head of Ended is aggregated again once the other trouble is settled
			s.trouble(TroubleStrategy, "strategy_error", out.Error.Text(), m.ID, now)
		}
		return
	}
	s.take(job, out, false, now)
	m = s.Contact.Communication(job.CommunicationID)
	m.Flagged = false
	if len(s.Ended) > 0 {
		s.closeEnded(m, s.Ended[0], now)
		s.Ended = s.Ended[1:]
	}
	s.Unguided = out.None
}

// closeEnded gives an ended communication its outcome unless the strategy gave
// it another.
func (s *State) closeEnded(m *Communication, e Ending, now time.Time) {
	if !m.Status.Status.Final() {
		m.end(e.Outcome, now, e.Reason)
	}
	s.Dirty = true
}

func (s *State) onLoaded(job *Command, out *StrategyOutcome, now time.Time) {
	if out.Error != nil {
		s.decideRun(job, out, nil, now)
		s.settle(job.Import, &RowError{Line: job.Import.Line, Field: "strategy", Value: out.Error.Kind, Reason: out.Error.Text()})
		return
	}
	ended := s.Contact.Status.Ended()
	s.decide(now, DecisionImported, "updated", fmt.Sprintf("Updated by import %s, line %d", job.Import.ImportID, job.Import.Line),
		map[string]any{"import_id": job.Import.ImportID, "line": job.Import.Line})
	s.take(job, out, true, now)
	if ended && s.Contact.Next() != nil {
		s.Contact.Status, s.Contact.EndedAt = ContactActive, nil
	}
	s.settle(job.Import, nil)
}

// take applies a change and records it.
func (s *State) take(job *Command, out *StrategyOutcome, again bool, now time.Time) {
	from := s.Contact.CurrentStage
	canceled := map[string]bool{}
	for i := range s.Contact.Communications {
		if m := &s.Contact.Communications[i]; m.Status.Status == CommunicationCanceled {
			canceled[m.ID] = true
		}
	}
	done := out.Change.Apply(&s.Contact, now, again)
	s.Dirty = true
	if !out.None {
		s.decideRun(job, out, &done, now)
	}
	for i := range s.Contact.Communications {
		m := &s.Contact.Communications[i]
		switch {
		case slices.Contains(done.Planned, m.ID):
			d := commData(m)
			d["start_date"] = m.StartDate.UTC().Format(time.RFC3339)
			s.decide(now, DecisionPlanned, "", fmt.Sprintf("Planned: %s at stage %s for %s", m.Name, m.StageName, m.StartDate.UTC().Format(time.RFC3339)), d)
		case m.Status.Status == CommunicationCanceled && !canceled[m.ID]:
			s.decide(now, DecisionSkipped, "canceled", "Canceled "+m.Name+": "+orElse(m.Status.Reason, "by the strategy"), commData(m))
		}
	}
	s.retime()
	if done.StageChanged {
		to := s.Contact.CurrentStage
		s.Contact.CurrentStage = from
		s.moveTo(to, now)
		s.Final = nil
	}
	if out.Change.Final != nil && (!s.Contact.Status.Ended() || len(done.Planned) > 0) {
		s.reach(*out.Change.Final, done.Planned, now)
	}
	s.dropMootTrouble()
}

// dropMootTrouble forgets trouble with a send that is canceled by now, and with
// an answer in a session that has ended: nothing is left for a person to decide.
func (s *State) dropMootTrouble() {
	t := s.Trouble
	if t == nil {
		return
	}
	m := s.Contact.Communication(t.CommunicationID)
	talks := slices.ContainsFunc(s.Open, func(o Open) bool { return o.CommunicationID == t.CommunicationID })
	if t.Kind == TroubleSend && m != nil && m.Status.Status == CommunicationCanceled || t.Kind == TroubleTurn && !talks {
		s.Trouble = nil
	}
}

// retime lets open sessions follow a timeout that a strategy changed.
func (s *State) retime() {
	for i := range s.Open {
		o := &s.Open[i]
		m := s.Contact.Communication(o.CommunicationID)
		if m == nil || m.Timeout == 0 || m.Timeout == o.Timeout || o.Deadline.IsZero() {
			continue
		}
		o.Deadline = o.Deadline.Add(time.Duration(m.Timeout - o.Timeout))
		o.Timeout = m.Timeout
	}
}

func (s *State) decideRun(job *Command, out *StrategyOutcome, done *Applied, now time.Time) {
	d := map[string]any{"type": string(job.Type), "version": out.Version}
	if job.CommunicationID != "" {
		d["communication_id"] = job.CommunicationID
	}
	if out.Error != nil {
		d["error"] = out.Error
		s.decide(now, DecisionStrategyRun, "error", fmt.Sprintf("Strategy %s failed: %s", job.Type, out.Error.Text()), d)
		return
	}
	d["change"] = out.Change
	if len(done.Notes) > 0 {
		d["notes"] = done.Notes
	}
	s.decide(now, DecisionStrategyRun, "ok", fmt.Sprintf("Strategy %s ran (version %d)", job.Type, out.Version), d)
}

// Text is the error in one line: file, line, kind and message.
func (e *StrategyError) Text() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	msg := e.Message
	if e.Type != "" {
		msg = e.Type + ": " + msg
	}
	if at == "" {
		return e.Kind + ": " + msg
	}
	return at + ": " + e.Kind + ": " + msg
}
