package campaign

import (
	"fmt"
	"slices"
	"time"
)

// Applied says what a change did.
type Applied struct {
	Planned      []string // ids given to new communications
	StageChanged bool
	Notes        []string // what could not be applied, and why
}

// Apply takes a change over into the contact. A planned communication that was
// dispatched while the strategy ran is left alone, and the notes say so. With
// again set (a re-import) no second communication with the name and stage of
// one the contact already has is planned, unless that one was CANCELED.
func (c *Change) Apply(contact *Contact, now time.Time, again bool) Applied {
	var done Applied
	for _, f := range []struct {
		name string
		into *string
	}{
		{"name", &contact.Name},
		{"email", &contact.Email},
		{"phone", &contact.Phone},
		{"timezone", &contact.Timezone},
		{"language", &contact.Language},
		{"telegram_chat_id", &contact.TelegramChatID},
	} {
		if v, ok := c.Set[f.name]; ok {
			*f.into = v
		}
	}
	contact.Parameters = c.Parameters.apply(contact.Parameters)
	contact.Results = c.Results.apply(contact.Results)
	contact.InternalData = c.InternalData.apply(contact.InternalData)
	if c.Outcome != nil {
		contact.Outcome = Outcome(*c.Outcome)
	}
	if c.Stage != nil && contact.CurrentStage != *c.Stage {
		contact.CurrentStage, done.StageChanged = *c.Stage, true
	}
	for i := range c.Edit {
		if note := c.Edit[i].apply(contact, now); note != "" {
			done.Notes = append(done.Notes, note)
		}
	}
	for i := range c.Plan {
		m := c.Plan[i]
		if again && hasPlanned(contact, &m) {
			done.Notes = append(done.Notes, fmt.Sprintf("%q at stage %q is there already and is not planned again", m.Name, m.StageName))
			continue
		}
		m.ID = CommunicationID(contact.ID, len(contact.Communications)+1)
		m.Status = StatusAt{Status: CommunicationPlanned, At: now}
		contact.Communications = append(contact.Communications, m)
		done.Planned = append(done.Planned, m.ID)
	}
	return done
}

func hasPlanned(c *Contact, m *Communication) bool {
	return slices.ContainsFunc(c.Communications, func(o Communication) bool {
		return o.Name == m.Name && o.StageName == m.StageName && o.Status.Status != CommunicationCanceled
	})
}

func (e *Edit) apply(c *Contact, now time.Time) (note string) {
	m := c.Communication(e.ID)
	if m == nil {
		return ""
	}
	if e.Timeout != nil && !m.Status.Status.Final() {
		m.Timeout = *e.Timeout
	}
	onlyPlanned := e.Name != nil || e.StageName != nil || e.StartDate != nil || e.StartState != nil || e.ExpiresAt != nil || e.NoExpiry || e.Params != nil
	if onlyPlanned && m.Status.Status != CommunicationPlanned {
		return fmt.Sprintf("%s is %s by now; its plan is not changed", m.ID, m.Status.Status)
	}
	set(&m.Name, e.Name)
	set(&m.StageName, e.StageName)
	set(&m.StageID, e.StageID)
	set(&m.StartDate, e.StartDate)
	set(&m.StartState, e.StartState)
	set(&m.Params, e.Params)
	if e.ExpiresAt != nil || e.NoExpiry {
		m.ExpiresAt = e.ExpiresAt
	}
	if e.Status != nil {
		if *e.Status == CommunicationCanceled && m.Status.Status != CommunicationPlanned && !m.Flagged {
			return fmt.Sprintf("%s is %s by now; it is not canceled", m.ID, m.Status.Status)
		}
		m.end(*e.Status, now, e.Reason)
	}
	return ""
}

func set[T any](into, v *T) {
	if v != nil {
		*into = *v
	}
}
