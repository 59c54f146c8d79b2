package campaign

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Status is where a campaign is in its life.
type Status string

// Campaign statuses.
const (
	Draft   Status = "draft"
	Running Status = "running"
	Paused  Status = "paused"
	Stopped Status = "stopped"
)

// Action is what a person does to a campaign's life.
type Action string

// Campaign actions.
const (
	ActionStart  Action = "start"
	ActionPause  Action = "pause"
	ActionResume Action = "resume"
	ActionStop   Action = "stop"
)

// After returns the status the action leads to, or a conflict that says why not.
func (s Status) After(a Action) (Status, error) {
	switch {
	case a == ActionStart && s == Draft:
		return Running, nil
	case a == ActionPause && s == Running:
		return Paused, nil
	case a == ActionResume && s == Paused:
		return Running, nil
	case a == ActionStop && s != Stopped:
		return Stopped, nil
	default:
		return s, Errorf(CodeConflict, "cannot %s a campaign that is %s", a, s)
	}
}

// Campaign is stages, strategies and contacts run together.
type Campaign struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Description   string     `json:"description"`
	Labels        []string   `json:"labels"`
	Timezone      string     `json:"timezone"`
	Status        Status     `json:"status"`
	StatusMessage string     `json:"status_message"`
	Fields        []Field    `json:"fields"`
	Rules         Rules      `json:"rules"`
	Success       Success    `json:"success"`
	Egress        Egress     `json:"egress"`
	Version       int        `json:"version"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	StartedAt     *time.Time `json:"started_at"`
	StoppedAt     *time.Time `json:"stopped_at"`
	FinishedAt    *time.Time `json:"finished_at"`
}

// Field types one parameter of the campaign's contacts.
type Field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Format   string   `json:"format,omitempty"`
	Values   []string `json:"values,omitempty"`
	Required bool     `json:"required,omitempty"`
	Indexed  bool     `json:"indexed,omitempty"`
}

// FieldTypes lists the types a field may have.
var FieldTypes = []string{"string", "integer", "number", "boolean", "date", "datetime", "enum"}

// Success says what counts as a success where a completed contact has no outcome
// of its own: the stage it ended in, or the last OutcomeStatus it got.
type Success struct {
	Stages   []string `json:"stages,omitempty"`
	Outcomes []string `json:"outcomes,omitempty"`
}

func (s *Success) validate(p *problems) {
	validateWords(p, "success.stages", s.Stages, 200)
	validateWords(p, "success.outcomes", s.Outcomes, maxAnswer)
}

// validateWords checks a list of words: none empty, none twice, none too long.
func validateWords(p *problems, at string, words []string, bytes int) {
	if len(words) > 100 {
		p.add(at, "at most 100")
	}
	for i, word := range words {
		switch {
		case strings.TrimSpace(word) == "":
			p.add(at+"["+itoa(i)+"]", "it is empty")
		case slices.Contains(words[:i], word):
			p.add(at+"["+itoa(i)+"]", "%q is there twice", word)
		case len(word) > bytes:
			p.add(at+"["+itoa(i)+"]", "at most %d bytes", bytes)
		}
	}
}

// Location returns the campaign's time zone.
func (c *Campaign) Location() *time.Location {
	if loc, err := time.LoadLocation(c.Timezone); err == nil {
		return loc
	}
	return time.UTC
}

// Validate reports every field that breaks a rule.
func (c *Campaign) Validate() error {
	var p problems
	if strings.TrimSpace(c.Name) == "" {
		p.add("name", "a campaign needs a name")
	}
	if len(c.Name) > 200 {
		p.add("name", "at most 200 bytes")
	}
	if len(c.Description) > 10_000 {
		p.add("description", "at most 10,000 bytes")
	}
	if c.Timezone != "" && !validZone(c.Timezone) {
		p.add("timezone", "%q is not an IANA time zone such as Europe/Berlin", c.Timezone)
	}
	if len(c.Labels) > 20 {
		p.add("labels", "at most 20 labels")
	}
	validateFields(&p, c.Fields)
	c.Rules.validate(&p)
	c.Success.validate(&p)
	c.Egress.validate(&p)
	return p.err("campaign")
}

func validateFields(p *problems, fields []Field) {
	seen := map[string]bool{}
	for i, f := range fields {
		at := "fields[" + itoa(i) + "]"
		if f.Name == "" {
			p.add(at+".name", "a field needs a name")
		}
		if seen[f.Name] {
			p.add(at+".name", "%q is there twice", f.Name)
		}
		seen[f.Name] = true
		if !slices.Contains(FieldTypes, f.Type) {
			p.add(at+".type", "%q is not one of %s", f.Type, strings.Join(FieldTypes, ", "))
		}
		if f.Type == "enum" && len(f.Values) == 0 {
			p.add(at+".values", "an enum needs its values")
		}
	}
}

func validZone(name string) bool {
	if name == "Local" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// ValidZone reports whether name is an IANA time zone.
func ValidZone(name string) bool { return name != "" && validZone(name) }

func itoa(i int) string { b, _ := json.Marshal(i); return string(b) }
