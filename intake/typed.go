package intake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// typed reads the values of one parameter the campaign gives a type.
type typed struct {
	field   Field
	zone    *time.Location
	layouts []string
}

func newTyped(f Field, zone *time.Location) (*typed, error) {
	t := &typed{field: f, zone: zone}
	switch f.Type {
	case "", "string", "integer", "number", "boolean", "enum":
	case "date":
		t.layouts = []string{time.DateOnly}
	case "datetime":
		t.layouts = datetimeLayouts()
	default:
		return nil, fmt.Errorf("unknown type %q", f.Type)
	}
	if plain(f.Name) == "" {
		return nil, fmt.Errorf("a field needs a name")
	}
	if t.layouts != nil && f.Format != "" {
		layout, err := layoutOf(f.Format)
		if err != nil {
			return nil, err
		}
		t.layouts = []string{layout}
	}
	return t, nil
}

// convert gives the value as JSON of the field's type, or the reason why it does not fit. An empty value is null, but
// an empty string stays one.
func (t *typed) convert(v value) (json.RawMessage, string) {
	if v.empty() {
		switch {
		case t.field.Required:
			return nil, "is required and empty"
		case v.kind != kindNull && (t.field.Type == "" || t.field.Type == "string"):
			return v.json(), ""
		}
		return json.RawMessage("null"), ""
	}
	if v.kind == kindNested {
		return nil, "is not " + t.noun()
	}
	text := strings.TrimSpace(v.text)
	var out json.RawMessage
	switch t.field.Type {
	case "integer":
		out = integer(text)
	case "number":
		out = number(text)
	case "boolean":
		out = boolean(text)
	case "enum":
		if slices.Contains(t.field.Values, text) {
			out = quote(text)
		}
	case "date", "datetime":
		if v.kind == kindCell || v.kind == kindString {
			out = t.moment(text)
		}
	default:
		out = quote(v.text)
	}
	if out == nil {
		return nil, "is not " + t.noun()
	}
	return out, ""
}

// noun is what the field's values are, with an article.
func (t *typed) noun() string {
	switch t.field.Type {
	case "integer":
		return "an integer"
	case "number":
		return "a number"
	case "boolean":
		return "a boolean: true, false, yes, no, 1 or 0"
	case "enum":
		return "one of " + cut(strings.Join(t.field.Values, ", "))
	case "date":
		if t.field.Format != "" {
			return "a date like " + t.field.Format
		}
		return "a date like 2026-12-31"
	case "datetime":
		if t.field.Format != "" {
			return "a date and time like " + t.field.Format
		}
		return "a date and time like 2026-12-31 18:30 or 2026-12-31T18:30:00Z"
	}
	return "text"
}

// moment reads a date or a date and time; the markers $d and $dt tell strategies which one it is.
func (t *typed) moment(text string) json.RawMessage {
	for _, layout := range t.layouts {
		at, err := time.ParseInLocation(layout, text, t.zone)
		if err != nil {
			continue
		}
		if t.field.Type == "date" {
			if at.Year() < 1 {
				return nil
			}
			return json.RawMessage(`{"$d":"` + at.Format(time.DateOnly) + `"}`)
		}
		at = at.UTC().Truncate(time.Microsecond)
		if at.Year() < 1 || at.Year() > 9999 {
			return nil
		}
		return json.RawMessage(`{"$dt":"` + at.Format(time.RFC3339Nano) + `"}`)
	}
	return nil
}

// integer keeps every digit, and writes them as JSON wants them: without a plus and leading zeros.
func integer(text string) json.RawMessage {
	sign, digits := signOf(text)
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return json.RawMessage("0")
	}
	return json.RawMessage(sign + digits)
}

// number keeps the digits as they are written. An exponent no floating-point number has is refused: databases choke.
func number(text string) json.RawMessage {
	sign, digits := signOf(text)
	if digits == "" || strings.IndexByte(".0123456789", digits[0]) < 0 {
		return nil
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" || digits[0] < '0' || digits[0] > '9' {
		digits = "0" + digits
	}
	out := json.RawMessage(sign + digits)
	if !json.Valid(out) || outOfRange(digits) {
		return nil
	}
	return out
}

// outOfRange reports a number whose exponent takes it past every floating-point number, in either direction.
func outOfRange(number string) bool {
	e := strings.IndexAny(number, "eE")
	if e < 0 {
		return false
	}
	f, err := strconv.ParseFloat(number, 64)
	return err != nil || f == 0 && strings.Trim(number[:e], "-.0") != ""
}

func signOf(text string) (sign, digits string) {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return "-", rest
	}
	return "", strings.TrimPrefix(text, "+")
}

func boolean(text string) json.RawMessage {
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		return json.RawMessage("true")
	case "false", "no", "0":
		return json.RawMessage("false")
	}
	return nil
}
