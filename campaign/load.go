package campaign

import (
	"fmt"
	"time"
)

// LoadedBy says which row of which import brought a contact in.
type LoadedBy struct {
	ImportID string
	Line     int
}

// Load takes the result of data_load over into a contact the store owns:
// before is the contact as it was, nil for a new one. A contact that is at a
// final stage with nothing planned is completed at once.
func Load(c Contact, before *Contact, out *StrategyOutcome, by LoadedBy, now time.Time) (Contact, []Decision) {
	s := NewState(c.Clone())
	word := "Imported"
	if before != nil {
		word = "Updated"
	}
	s.decide(now, DecisionImported, map[bool]string{true: "created", false: "updated"}[before == nil],
		fmt.Sprintf("%s by import %s, line %d", word, by.ImportID, by.Line), map[string]any{"import_id": by.ImportID, "line": by.Line})
	if before != nil && before.CurrentStage != s.Contact.CurrentStage {
		s.Contact.CurrentStage = before.CurrentStage
	}
	s.take(&Command{Kind: CommandStrategy, Type: DataLoad}, out, before != nil, now)
	if s.Contact.Status == ContactCompleted && s.Contact.Next() != nil {
		s.Contact.Status, s.Contact.EndedAt = ContactPending, nil
	}
	if s.Final != nil && s.Contact.Next() == nil {
		s.complete(now)
	}
	s.Contact.UpdatedAt = now
	if at := s.Contact.Next(); at != nil && !s.Contact.Status.Ended() {
		due := at.StartDate
		s.Contact.NextActionAt = &due
	} else {
		s.Contact.NextActionAt = nil
	}
	return s.Contact, s.Decisions
}

// OperateUnstarted carries an operator's decision out on a contact without a
// workflow, which the store owns.
func OperateUnstarted(c *Contact, op *Operation, now time.Time) ([]Decision, error) {
	s := NewState(c.Clone())
	if err := s.CanOperate(op); err != nil {
		return nil, err
	}
	s.operate(op, now)
	if s.Stopping != "" {
		s.cancelPlanned(s.Stopping, nil, now)
		s.finish(ContactStopped, s.Stopping, now)
	}
	s.Ended = nil // nothing has left: there is nothing to aggregate
	if s.Final != nil {
		s.complete(now)
	}
	if s.Contact.Status == ContactActive && s.Contact.StartedAt == nil {
		s.Contact.Status = ContactPending // reopened, and still without a workflow
	}
	s.Contact.UpdatedAt = now
	s.Contact.NextActionAt = nil
	if m := s.Contact.Next(); m != nil && !s.Contact.Status.Ended() && !s.Contact.Paused {
		due := m.StartDate
		s.Contact.NextActionAt = &due
	}
	*c = s.Contact
	return s.Decisions, nil
}
