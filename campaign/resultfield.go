package campaign

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ResultField is one thing an agent is to find out.
type ResultField struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Type        string   `json:"type,omitempty"` // one of FieldTypes; "" takes anything
	Values      []string `json:"values,omitempty"`
}

// Validate reports what is wrong with the declaration itself, under at.
func (f *ResultField) Validate(at string) []FieldError {
	var p problems
	if strings.TrimSpace(f.Name) == "" || len(f.Name) > 200 {
		p.add(at+".name", "a result needs a name of at most 200 bytes")
	}
	if f.Type != "" && !slices.Contains(FieldTypes, f.Type) {
		p.add(at+".type", "%q is not one of %s", f.Type, strings.Join(FieldTypes, ", "))
	}
	if f.Type == "enum" && len(f.Values) == 0 {
		p.add(at+".values", "an enum needs its values")
	}
	return p
}

// maxResultFields bounds what one agent or stage declares.
const maxResultFields = 100

// ValidateResultFields reports what is wrong with a list of declarations.
func ValidateResultFields(fields []ResultField) []FieldError {
	var p problems
	seen := map[string]bool{}
	for i := range fields {
		at := "result_fields[" + itoa(i) + "]"
		p = append(p, fields[i].Validate(at)...)
		if seen[fields[i].Name] {
			p.add(at+".name", "%q is there twice", fields[i].Name)
		}
		seen[fields[i].Name] = true
	}
	if len(fields) > maxResultFields {
		p.add("result_fields", "at most %d results", maxResultFields)
	}
	return p
}

// CheckResults reports which results do not fit what is declared. OutcomeStatus
// is the engine's and may always be said; where nothing is declared, so may all.
func CheckResults(fields []ResultField, results Dict) []FieldError {
	var p problems
	var names []string
	for i := range fields {
		names = append(names, fields[i].Name)
	}
	for _, name := range results.Keys() {
		i := slices.Index(names, name)
		switch {
		case i >= 0:
			if err := fields[i].Check(results[name]); err != nil {
				p.add("results."+name, "%v", err)
			}
		case len(names) > 0 && name != "OutcomeStatus":
			p.add("results."+name, "no such result is declared; there are OutcomeStatus, %s", strings.Join(names, ", "))
		}
	}
	return p
}

// Check says why a value does not fit the field; null fits every one.
func (f *ResultField) Check(value json.RawMessage) error {
	v, err := decodeExact(value)
	if err != nil {
		return fmt.Errorf("%s is not JSON", excerpt(string(value)))
	}
	if v == nil || f.fits(plain(v)) {
		return nil
	}
	return fmt.Errorf("%s is not %s", excerpt(string(value)), f.noun())
}

func (f *ResultField) fits(v any) bool {
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	switch f.Type {
	case "string":
		return isText && f.lists(text)
	case "integer":
		return isNumber && wholeNumber.MatchString(number.String()) && f.lists(number.String())
	case "number":
		return isNumber && f.lists(number.String())
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "date":
		_, err := time.Parse(time.DateOnly, text)
		return isText && err == nil
	case "datetime":
		_, err := time.Parse(time.RFC3339, text)
		return isText && err == nil
	case "enum":
		return isText && slices.Contains(f.Values, text)
	default:
		return !isText || f.lists(text)
	}
}

// lists reports whether the value is among those allowed; no list allows all.
func (f *ResultField) lists(text string) bool {
	return len(f.Values) == 0 || slices.Contains(f.Values, text)
}

func (f *ResultField) noun() string {
	switch {
	case len(f.Values) > 0:
		return "one of " + strings.Join(f.Values, ", ")
	case f.Type == "integer":
		return "an integer"
	case f.Type == "date":
		return "a date such as 2026-12-24"
	case f.Type == "datetime":
		return "a datetime such as 2026-12-24T10:00:00Z"
	default:
		return "a " + f.Type
	}
}

var (
	wholeNumber = regexp.MustCompile(`^-?\d+$`)
	saidNumber  = regexp.MustCompile(`^([+-]?)0*(\d{1,30}?)(?:[.,](\d{1,2}|\d{4,12}))?$`)
	spaces      = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "'", "")
)

// Read makes a value of the field's type of what somebody said, and says whether
// it is one. A number has no marks of thousands but spaces ("1 200", "12.50",
// "12,50"; "1,200" may mean two things and is none); a date is written as
// 2026-12-24 or 24.12.2026; a value of a list in any case of letters.
func (f *ResultField) Read(said string) (json.RawMessage, bool) {
	said = strings.TrimSpace(said)
	if len(f.Values) > 0 {
		i := slices.IndexFunc(f.Values, func(v string) bool { return strings.EqualFold(v, said) })
		if i < 0 {
			return nil, false
		}
		said = f.Values[i]
	}
	var out any
	switch f.Type {
	case "integer", "number":
		m := saidNumber.FindStringSubmatch(spaces.Replace(said))
		if m == nil || f.Type == "integer" && m[3] != "" {
			return nil, false
		}
		text := strings.TrimPrefix(m[1], "+") + m[2]
		if m[3] != "" {
			text += "." + m[3]
		}
		out = json.Number(text)
	case "boolean":
		switch strings.ToLower(said) {
		case "true", "false":
			out = strings.EqualFold(said, "true")
		default:
			return nil, false
		}
	case "date":
		day, ok := parsed(said, time.DateOnly, "2.1.2006")
		if !ok {
			return nil, false
		}
		out = day.Format(time.DateOnly)
	case "datetime":
		at, ok := parsed(said, time.RFC3339)
		if !ok {
			return nil, false
		}
		out = at.Format(time.RFC3339)
	default:
		out = said
	}
	raw, err := json.Marshal(out)
	return raw, err == nil && f.Check(raw) == nil
}

func parsed(text string, layouts ...string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
