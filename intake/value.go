package intake

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// kind is what a value was in the file.
type kind int

const (
	kindCell kind = iota // a CSV cell: text that may stand for anything
	kindString
	kindNumber
	kindBoolean
	kindNull
	kindNested
)

// value is one value of a row. Its text is a string's characters or a number's digits; raw is empty for a CSV cell.
type value struct {
	kind kind
	text string
	raw  json.RawMessage
}

// jsonValue takes a valid JSON text apart as far as a row needs it.
func jsonValue(raw json.RawMessage) (value, error) {
	switch raw[0] {
	case '"':
		v := value{kind: kindString, raw: raw}
		return v, json.Unmarshal(raw, &v.text)
	case '{', '[':
		var compact bytes.Buffer
		err := json.Compact(&compact, raw)
		return value{kind: kindNested, text: compact.String(), raw: compact.Bytes()}, err
	case 't', 'f':
		return value{kind: kindBoolean, text: string(raw), raw: raw}, nil
	case 'n':
		return value{kind: kindNull, raw: raw}, nil
	}
	return value{kind: kindNumber, text: string(raw), raw: raw}, nil
}

// json is the value as a parameter without a type keeps it.
func (v value) json() json.RawMessage {
	if v.kind == kindCell {
		return quote(v.text)
	}
	return v.raw
}

// empty reports that there is nothing in the value but perhaps white space.
func (v value) empty() bool {
	return v.kind == kindNull || strings.TrimSpace(v.text) == ""
}

// quote writes valid UTF-8 as a JSON string. Unlike json.Marshal it leaves HTML alone: a parameter is not a web page.
func quote(s string) json.RawMessage {
	const hex = "0123456789abcdef"
	out := append(make([]byte, 0, len(s)+2), '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// mend makes text fit to store: no database takes a NUL, and none takes bytes that are no characters. It reports
// whether anything is amiss, which includes a replacement character that decoding put there.
func mend(s string) (string, bool) {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) && !strings.ContainsRune(s, utf8.RuneError) {
		return s, false
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), string(utf8.RuneError)), true
}
