package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"carillon/campaign"
)

// shown is what the search attributes say now.
type shown struct {
	stage, status, attention string
	next                     time.Time
}

// publish shows the contact in the Temporal Web UI: the details always, the
// search attributes in one upsert and only when one of them changed.
func (r *run) publish(ctx workflow.Context) {
	c := &r.state.Contact
	workflow.SetCurrentDetails(ctx, details(&r.state))
	now := shown{stage: c.CurrentStage, status: string(c.Status)}
	if c.Attention != nil {
		now.attention = c.Attention.Reason
	}
	if c.NextActionAt != nil {
		now.next = *c.NextActionAt
	}
	if now == r.shown {
		return
	}
	updates := []temporal.SearchAttributeUpdate{KeyStage.ValueSet(now.stage), KeyStatus.ValueSet(now.status)}
	if now.attention != r.shown.attention {
		if now.attention == "" {
			updates = append(updates, KeyAttention.ValueUnset())
		} else {
			updates = append(updates, KeyAttention.ValueSet(now.attention))
		}
	}
	if !now.next.Equal(r.shown.next) {
		if now.next.IsZero() {
			updates = append(updates, KeyNext.ValueUnset())
		} else {
			updates = append(updates, KeyNext.ValueSet(now.next))
		}
	}
	r.shown = now
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not written", "contact_id", c.ID, "error", err)
	}
}

// details is the contact in Markdown, for the panel of the Web UI.
func details(s *campaign.State) string {
	c := &s.Contact
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** at stage **%s**", c.Status, orNone(c.CurrentStage))
	if c.Outcome != campaign.OutcomeNone {
		fmt.Fprintf(&b, ", outcome **%s**", c.Outcome)
	}
	b.WriteString("\n\n")
	if at, why, ok := s.Wake(); ok {
		fmt.Fprintf(&b, "Next: %s, %s\n\n", why, at.UTC().Format("2 Jan 2006 15:04:05 UTC"))
	}
	for _, why := range s.Blockers() {
		fmt.Fprintf(&b, "- %s\n", why)
	}
	if len(c.Communications) > 0 {
		b.WriteString("\n| communication | stage | when | status |\n|---|---|---|---|\n")
		for i := max(0, len(c.Communications)-20); i < len(c.Communications); i++ {
			m := &c.Communications[i]
			fmt.Fprintf(&b, "| %s | %s | %s | %s %s |\n", m.Name, m.StageName, m.StartDate.UTC().Format("2 Jan 15:04:05"), m.Status.Status, m.Status.Reason)
		}
	}
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
