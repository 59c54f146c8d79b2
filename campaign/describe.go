package campaign

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// longestShown bounds a value in a summary, in characters.
const longestShown = 120

// describe says in words what the change did to a contact, in the order in
// which people ask: who it is, what is known, where it stands, what comes.
func (c *Change) describe(before, after *Contact, done *Applied, zone *time.Location) []string {
	if l, err := time.LoadLocation(after.Timezone); err == nil && after.Timezone != "" {
		zone = l
	}
	w := telling{zone: zone}
	for _, f := range []struct{ name, old, new string }{
		{"name", before.Name, after.Name},
		{"email", before.Email, after.Email},
		{"phone", before.Phone, after.Phone},
		{"timezone", before.Timezone, after.Timezone},
		{"language", before.Language, after.Language},
		{"telegram_chat_id", before.TelegramChatID, after.TelegramChatID},
	} {
		if f.old != f.new {
			w.addf("%s: %q → %q", f.name, f.old, f.new)
		}
	}
	w.dict("parameters", before.Parameters, c.Parameters)
	w.dict("results", before.Results, c.Results)
	w.dict("internal_data", before.InternalData, c.InternalData)
	if before.CurrentStage != after.CurrentStage {
		final := ""
		if c.Final != nil {
			final = fmt.Sprintf(" (final, %s)", cmp.Or(string(c.Final.Outcome), "no outcome"))
		}
		w.addf("stage: %q → %q%s", before.CurrentStage, after.CurrentStage, final)
	}
	if before.Outcome != after.Outcome {
		w.addf("outcome: %s → %s", cmp.Or(string(before.Outcome), "none"), cmp.Or(string(after.Outcome), "none"))
	}
	for i := range before.Communications {
		w.edit(&before.Communications[i], &after.Communications[i])
	}
	for i := range after.Communications {
		if m := &after.Communications[i]; slices.Contains(done.Planned, m.ID) {
			w.plan(m)
		}
	}
	return w.lines
}

// telling collects lines.
type telling struct {
	lines []string
	zone  *time.Location
}

func (w *telling) addf(format string, args ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

func (w *telling) dict(name string, was Dict, c DictChange) {
	for _, key := range c.Set.Keys() {
		if old, ok := was[key]; ok {
			w.addf("%s.%s: %s → %s", name, key, value(old), value(c.Set[key]))
			continue
		}
		w.addf("%s.%s: %s", name, key, value(c.Set[key]))
	}
	for _, key := range c.Remove {
		w.addf("%s.%s: removed (was %s)", name, key, value(was[key]))
	}
}

func (w *telling) plan(m *Communication) {
	w.addf("plan: %s, %s%s%s", label(m), w.moment(m.StartDate), w.within(m), w.until(m))
}

// edit says what became of a communication the contact had.
func (w *telling) edit(was, is *Communication) {
	if to := is.Status.Status; to != was.Status.Status {
		reason := ""
		if is.Status.Reason != "" {
			reason = ": " + is.Status.Reason
		}
		if to == CommunicationCanceled && was.Status.Status == CommunicationPlanned {
			w.addf("cancel: %s, planned for %s%s", label(was), w.moment(was.StartDate), reason)
			return
		}
		w.addf("end: %s, %s → %s%s", label(was), was.Status.Status, to, reason)
	}
	var changed []string
	note := func(differ bool, format string, args ...any) {
		if differ {
			changed = append(changed, fmt.Sprintf(format, args...))
		}
	}
	note(was.Name != is.Name, "name %q → %q", was.Name, is.Name)
	note(was.StageName != is.StageName, "stage %q → %q", was.StageName, is.StageName)
	note(!was.StartDate.Equal(is.StartDate), "%s → %s", w.moment(was.StartDate), w.moment(is.StartDate))
	note(was.Timeout != is.Timeout, "timeout %s → %s", cmp.Or(was.Timeout.String(), "the stage's"), cmp.Or(is.Timeout.String(), "the stage's"))
	note(!sameTime(was.ExpiresAt, is.ExpiresAt), "%s", cmp.Or(strings.TrimPrefix(w.until(is), ", "), "never expires"))
	note(was.StartState != is.StartState, "start_state %q → %q", was.StartState, is.StartState)
	note(!diffDict(was.Params, is.Params).IsZero(), "params")
	if len(changed) > 0 {
		w.addf("change: %s: %s", label(was), strings.Join(changed, ", "))
	}
}

// label names a communication.
func label(m *Communication) string {
	if m.Name == "" {
		return fmt.Sprintf("stage %q", m.StageName)
	}
	return fmt.Sprintf("%q at stage %q", m.Name, m.StageName)
}

func (w *telling) moment(t time.Time) string { return t.In(w.zone).Format("Mon 2006-01-02 15:04 MST") }

func (w *telling) within(m *Communication) string {
	if m.Timeout == 0 {
		return ""
	}
	return ", timeout " + m.Timeout.String()
}

func (w *telling) until(m *Communication) string {
	if m.ExpiresAt == nil {
		return ""
	}
	return ", expires " + w.moment(*m.ExpiresAt)
}

// value is a value as it is written, or its beginning.
func value(raw json.RawMessage) string {
	text := []rune(string(Plain(raw)))
	if len(text) > longestShown {
		return string(text[:longestShown]) + "…"
	}
	return string(text)
}
