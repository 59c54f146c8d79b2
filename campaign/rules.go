package campaign

import (
	"regexp"
	"slices"
	"time"
)

// DefaultMaxAttempts bounds the communications of one contact where the
// campaign's rules do not.
const DefaultMaxAttempts = 10

// Hours are the allowed times of a channel: weekday ("mon" … "sun") to spans
// of local time [["09:00","20:00"], …]. A weekday without spans is closed.
type Hours map[string][][2]string

// Rules are what a user sets instead of coding.
type Rules struct {
	Hours          map[string]Hours `json:"hours,omitempty"` // by channel, "*" for the others
	Holidays       []string         `json:"holidays,omitempty"`
	MaxAttempts    int              `json:"max_attempts,omitempty"`
	ExhaustedStage string           `json:"exhausted_stage,omitempty"`
	MaxLateness    Duration         `json:"max_lateness,omitempty"`
	DailyCap       int              `json:"daily_cap,omitempty"`
	MinGap         Duration         `json:"min_gap,omitempty"`
	Priority       int              `json:"priority,omitempty"`
}

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

var clock = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$|^24:00$`)

func (r *Rules) validate(p *problems) {
	for ch, hours := range r.Hours {
		if ch != "*" && !Channel(ch).Valid() {
			p.add("rules.hours."+ch, "no such channel; * means the others")
		}
		for day, spans := range hours {
			if !slices.Contains(weekdays[:], day) {
				p.add("rules.hours."+ch+"."+day, "a weekday is mon, tue, wed, thu, fri, sat or sun")
			}
			for _, s := range spans {
				if !clock.MatchString(s[0]) || !clock.MatchString(s[1]) || s[0] >= s[1] {
					p.add("rules.hours."+ch+"."+day, "a span is two local times such as 09:00 and 20:00, the first before the second")
				}
			}
		}
	}
	for i, h := range r.Holidays {
		if _, err := time.Parse(time.DateOnly, h); err != nil {
			p.add("rules.holidays["+itoa(i)+"]", "%q is not a date such as 2026-12-25", h)
		}
	}
	if r.MaxAttempts < 0 || r.MaxAttempts > MaxCommunications {
		p.add("rules.max_attempts", "between 0 (the default, 10) and %d", MaxCommunications)
	}
	if r.DailyCap < 0 {
		p.add("rules.daily_cap", "not below 0")
	}
	if r.Priority < 0 || r.Priority > 5 {
		p.add("rules.priority", "between 1 and 5")
	}
}

// Attempts returns the limit on dispatched communications per contact.
func (r *Rules) Attempts() int {
	if r.MaxAttempts > 0 {
		return r.MaxAttempts
	}
	return DefaultMaxAttempts
}

// NextOpen returns the first moment from t on at which the channel may be
// used, in the zone loc; t itself when it is open now. It reports false if no
// such moment comes within a year.
func (r *Rules) NextOpen(ch Channel, t time.Time, loc *time.Location) (time.Time, bool) {
	hours, ok := r.Hours[string(ch)]
	if !ok {
		hours, ok = r.Hours["*"]
	}
	if !ok && len(r.Holidays) == 0 {
		return t, true
	}
	local := t.In(loc)
	minute := local.Hour()*60 + local.Minute()
	for day := range 366 {
		date := time.Date(local.Year(), local.Month(), local.Day()+day, 12, 0, 0, 0, loc) // noon: not every midnight exists
		if slices.Contains(r.Holidays, date.Format(time.DateOnly)) {
			continue
		}
		spans := hours[weekdays[date.Weekday()]]
		if !ok {
			spans = [][2]string{{"00:00", "24:00"}}
		}
		const never = 24 * 60
		opens := never
		for _, s := range spans {
			from, to := minuteOf(s[0]), minuteOf(s[1])
			if day == 0 && minute >= to {
				continue
			}
			if day == 0 && minute >= from {
				return t, true
			}
			opens = min(opens, from)
		}
		if opens < never {
			return clockOn(date, opens), true
		}
	}
	return time.Time{}, false
}

func minuteOf(hhmm string) int {
	return int(hhmm[0]-'0')*600 + int(hhmm[1]-'0')*60 + int(hhmm[3]-'0')*10 + int(hhmm[4]-'0')
}

// clockOn is a local time on a date; one that the clocks skip that day comes
// as much later as they skip.
func clockOn(date time.Time, minute int) time.Time {
	y, mo, d := date.Date()
	t := time.Date(y, mo, d, minute/60, minute%60, 0, 0, date.Location())
	asked := time.Date(y, mo, d, minute/60, minute%60, 0, 0, time.UTC)
	got := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	return t.Add(max(0, asked.Sub(got)))
}
