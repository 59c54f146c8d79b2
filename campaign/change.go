package campaign

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Change is what one strategy run decided, as a difference from the contact it
// was given. It is applied to the contact as it is by then, so nothing that
// happened while the strategy ran is lost.
type Change struct {
	Set          map[string]string `json:"set,omitempty"` // name email phone timezone language telegram_chat_id
	Parameters   DictChange        `json:"parameters,omitzero"`
	Results      DictChange        `json:"results,omitzero"`
	InternalData DictChange        `json:"internal_data,omitzero"`
	Stage        *string           `json:"stage,omitempty"`
	Final        *FinalStage       `json:"final,omitempty"`   // set when Stage is a final one
	Outcome      *string           `json:"outcome,omitempty"` // "" takes it back, so no *Outcome: that would be null
	Plan         []Communication   `json:"plan,omitempty"`    // new, without ids
	Edit         []Edit            `json:"edit,omitempty"`
	Ignored      []string          `json:"ignored,omitempty"` // what the strategy may not change
}

// FinalStage is a stage that ends a contact.
type FinalStage struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
}

// Edit changes one communication the contact already has; nil keeps.
type Edit struct {
	ID         string               `json:"id"`
	Name       *string              `json:"name,omitempty"`
	StageName  *string              `json:"stage_name,omitempty"`
	StageID    *string              `json:"stage_id,omitempty"`
	StartDate  *time.Time           `json:"start_date,omitempty"`
	Timeout    *Duration            `json:"timeout,omitempty"`
	ExpiresAt  *time.Time           `json:"expires_at,omitempty"`
	NoExpiry   bool                 `json:"no_expiry,omitempty"`
	StartState *string              `json:"start_state,omitempty"`
	Params     *Dict                `json:"params,omitempty"`
	Status     *CommunicationStatus `json:"status,omitempty"`
	Reason     string               `json:"reason,omitempty"`
}

// Knowledge is what a difference is judged by: the campaign's stages and the
// communication that aggregation runs for. Timezone is the one that the row
// being loaded brings: where it does not exist that is the row's doing, which
// the gate tells, and not the strategy's.
type Knowledge struct {
	Stages   []Stage
	Flagged  string
	Timezone string
	Now      time.Time
}

func (k *Knowledge) stage(name string) *Stage {
	for i := range k.Stages {
		if k.Stages[i].Name == name {
			return &k.Stages[i]
		}
	}
	return nil
}

func (k *Knowledge) names() string {
	names := make([]string, len(k.Stages))
	for i := range k.Stages {
		names[i] = fmt.Sprintf("%q", k.Stages[i].Name)
	}
	return strings.Join(names, ", ")
}

// BadResultError says what a strategy returned that cannot be taken over, and where.
type BadResultError struct{ Path, Message string }

// Error names the path and the problem.
func (e *BadResultError) Error() string { return e.Path + ": " + e.Message }

func badResult(path, format string, args ...any) error {
	return &BadResultError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// Diff reads the contact a strategy returned and says what it changed. Fields
// a strategy may not write are ignored, with a line that says so; an unknown
// stage or a broken type is a [BadResultError].
func Diff(base Contact, returned json.RawMessage, k Knowledge) (Change, error) {
	var next Contact
	if err := json.Unmarshal(returned, &next); err != nil {
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return Change{}, badResult(te.Field, "a %s where a %s belongs", te.Value, te.Type)
		}
		return Change{}, badResult("contact", "%v", err)
	}
	var c Change
	c.diffFields(&base, &next)
	c.Parameters = diffDict(base.Parameters, next.Parameters)
	c.Results = diffDict(base.Results, next.Results)
	c.InternalData = diffDict(base.InternalData, next.InternalData)
	if next.Timezone != base.Timezone && next.Timezone != k.Timezone && next.Timezone != "" && !ValidZone(next.Timezone) {
		return Change{}, badResult("timezone", "%q is not an IANA time zone", next.Timezone)
	}
	if next.Outcome != base.Outcome {
		if !next.Outcome.Valid() {
			return Change{}, badResult("outcome", "%q is not success, failure or None", next.Outcome)
		}
		outcome := string(next.Outcome)
		c.Outcome = &outcome
	}
	if next.CurrentStage != base.CurrentStage {
		s := k.stage(next.CurrentStage)
		if s == nil && next.CurrentStage != "" {
			return Change{}, badResult("current_stage", "no stage %q in this campaign; it has %s", next.CurrentStage, k.names())
		}
		c.Stage = &next.CurrentStage
		if s != nil && s.Final() {
			c.Final = &FinalStage{Name: s.Name, Outcome: s.Outcome}
		}
	}
	if err := c.diffPlan(&base, &next, &k); err != nil {
		return Change{}, err
	}
	return c, nil
}

func (c *Change) diffFields(base, next *Contact) {
	for _, f := range []struct{ name, old, new string }{
		{"name", base.Name, next.Name},
		{"email", base.Email, next.Email},
		{"phone", base.Phone, next.Phone},
		{"timezone", base.Timezone, next.Timezone},
		{"language", base.Language, next.Language},
		{"telegram_chat_id", base.TelegramChatID, next.TelegramChatID},
	} {
		if f.old != f.new {
			if c.Set == nil {
				c.Set = map[string]string{}
			}
			c.Set[f.name] = f.new
		}
	}
	for _, f := range []struct{ name, old, new string }{
		{"id", base.ID, next.ID},
		{"campaign_id", base.CampaignID, next.CampaignID},
		{"object_id", base.ObjectID, next.ObjectID},
		{"external_id", base.ExternalID, next.ExternalID},
		{"status", string(base.Status), string(next.Status)},
	} {
		if f.old != f.new {
			c.Ignored = append(c.Ignored, fmt.Sprintf("%s is not a strategy's to change (%q stays)", f.name, f.old))
		}
	}
}

func (c *Change) diffPlan(base, next *Contact, k *Knowledge) error {
	kept := map[string]bool{}
	planned := len(base.Communications)
	for i := range next.Communications {
		m, at := &next.Communications[i], "communications["+itoa(i)+"]"
		old := base.Communication(m.ID)
		switch {
		case m.ID == "":
			s := k.stage(m.StageName)
			if s == nil {
				return badResult(at+".stage_name", "no stage %q in this campaign; it has %s", m.StageName, k.names())
			}
			if m.Status.Status != "" && m.Status.Status != CommunicationPlanned {
				c.Ignored = append(c.Ignored, fmt.Sprintf("%s: a new communication is PLANNED, not %s", at, m.Status.Status))
			}
			if planned++; planned > MaxCommunications {
				return badResult("communications", "more than %d communications", MaxCommunications)
			}
			c.Plan = append(c.Plan, newlyPlanned(m, s, k.Now))
		case old == nil:
			c.Ignored = append(c.Ignored, fmt.Sprintf("%s: no communication has the id %q", at, m.ID))
		case kept[m.ID]:
			c.Ignored = append(c.Ignored, fmt.Sprintf("%s: %q is in the list twice", at, m.ID))
		default:
			kept[m.ID] = true
			if err := c.diffOne(old, m, at, k); err != nil {
				return err
			}
		}
	}
	for i := range base.Communications {
		m := &base.Communications[i]
		switch {
		case kept[m.ID]:
		case m.Status.Status == CommunicationPlanned:
			canceled := CommunicationCanceled
			c.Edit = append(c.Edit, Edit{ID: m.ID, Status: &canceled, Reason: "removed by the strategy"})
		default:
			c.Ignored = append(c.Ignored, fmt.Sprintf("%s (%s) has left already and stays in the list", m.ID, m.Status.Status))
		}
	}
	return nil
}

func newlyPlanned(m *Communication, s *Stage, now time.Time) Communication {
	p := Communication{
		Name: m.Name, StageName: s.Name, StageID: s.ID, StartDate: m.StartDate.UTC(),
		Timeout: m.Timeout, ExpiresAt: m.ExpiresAt, StartState: m.StartState, Params: m.Params,
	}
	if m.StartDate.IsZero() {
		p.StartDate = now
	}
	p.StartDate = p.StartDate.Truncate(time.Microsecond)
	return p
}

func (c *Change) diffOne(old, m *Communication, at string, k *Knowledge) error {
	e := Edit{ID: old.ID}
	changed := false
	ignore := func(what string) {
		c.Ignored = append(c.Ignored, fmt.Sprintf("%s: %s of %s (%s) is not a strategy's to change", at, what, old.ID, old.Status.Status))
	}
	if old.Status.Status == CommunicationPlanned {
		if m.Name != old.Name {
			e.Name, changed = &m.Name, true
		}
		if m.StageName != old.StageName {
			s := k.stage(m.StageName)
			if s == nil {
				return badResult(at+".stage_name", "no stage %q in this campaign; it has %s", m.StageName, k.names())
			}
			e.StageName, e.StageID, changed = &s.Name, &s.ID, true
		}
		if !m.StartDate.Equal(old.StartDate) {
			t := m.StartDate.UTC().Truncate(time.Microsecond)
			e.StartDate, changed = &t, true
		}
		if m.StartState != old.StartState {
			e.StartState, changed = &m.StartState, true
		}
		if !sameTime(m.ExpiresAt, old.ExpiresAt) {
			e.ExpiresAt, e.NoExpiry, changed = m.ExpiresAt, m.ExpiresAt == nil, true
		}
		if d := diffDict(old.Params, m.Params); !d.IsZero() {
			e.Params, changed = &m.Params, true
		}
	} else if m.Name != old.Name || m.StageName != old.StageName || !m.StartDate.Equal(old.StartDate) || m.StartState != old.StartState ||
		!sameTime(m.ExpiresAt, old.ExpiresAt) || !diffDict(old.Params, m.Params).IsZero() {
		ignore("the plan")
	}
	if m.Timeout != old.Timeout {
		if old.Status.Status.Final() {
			ignore("the timeout")
		} else {
			e.Timeout, changed = &m.Timeout, true
		}
	}
	if to := m.Status.Status; to != old.Status.Status {
		switch {
		case !to.Valid():
			return badResult(at+".status", "%q is not a CommunicationStatus", to)
		case old.Status.Status == CommunicationPlanned && (to == CommunicationCanceled || to == CommunicationSkipped),
			old.ID == k.Flagged && to.Final():
			e.Status, e.Reason, changed = &to, m.Status.Reason, true
			if old.Status.Status == CommunicationPlanned {
				canceled := CommunicationCanceled
				e.Status = &canceled
			}
		default:
			ignore("the status")
		}
	}
	if changed {
		c.Edit = append(c.Edit, e)
	}
	return nil
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
