package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// object makes a row of the text of one JSON object, which starts at the given place.
func (c *columns) object(text string, line, column int) Row {
	row := Row{Line: line}
	text, mended := mend(text)
	row.Raw = text
	if mended && !strings.ContainsRune(text, utf8.RuneError) {
		row.warn("", "", unstorable) // otherwise the field that has the character will say so
	}
	if reason := syntax(text, line, column); reason != "" {
		row.fail("", "", reason)
		return row
	}
	if strings.ContainsAny(text, "\r\n") || len(text) > MaxRow {
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(text)); err == nil {
			text = compact.String()
			row.Raw = text
		}
	}
	if len(text) > MaxRow {
		row.tooLarge(c.of(largestMember(text)).target, kibibytes(len(text)))
		return row
	}
	text, mended, reason := tame(text)
	if reason != "" {
		row.fail("", "", reason)
		return row
	}
	if mended && !strings.ContainsRune(text, utf8.RuneError) {
		row.warn("", "", unstorable)
	}
	c.members(&row, text)
	return row
}

// members reads the members of an object in their order.
func (c *columns) members(row *Row, text string) {
	in := json.NewDecoder(strings.NewReader(text))
	if start, err := in.Token(); err != nil || start != json.Delim('{') {
		row.fail("", text, "is not an object")
		return
	}
	a := assembly{row: row, columns: c}
	given := make(map[string]string)
	for in.More() {
		name, err := in.Token()
		var raw json.RawMessage
		if err == nil {
			err = in.Decode(&raw)
		}
		var v value
		if err == nil {
			v, err = jsonValue(raw)
		}
		if err != nil {
			row.fail("", "", "is not JSON: "+err.Error())
			return
		}
		col := c.of(name.(string))
		if col.name == "" {
			row.warn("", v.text, "a value without a name was not taken")
			continue
		}
		if col.target == "" {
			continue
		}
		key := plain(col.target)
		if other, ok := given[key]; ok {
			row.fail(col.target, v.text, "is given twice: "+pair(other, col.name))
			continue
		}
		given[key] = col.name
		a.set(col, v)
	}
	for _, name := range slices.Concat(c.needed, c.required) {
		if _, ok := given[plain(name)]; !ok {
			row.fail(name, "", "is missing")
		}
	}
	a.finish()
}

// syntax says where and why a text is not JSON.
func syntax(text string, line, column int) string {
	var raw json.RawMessage
	err := json.Unmarshal([]byte(text), &raw)
	if err == nil {
		return ""
	}
	at := len(text)
	var wrong *json.SyntaxError
	if errors.As(err, &wrong) {
		at = min(at, max(0, int(wrong.Offset)-1))
	}
	line, column = place(text[:at], line, column)
	return fmt.Sprintf("is not JSON at line %d, column %d: %v", line, column, err)
}

// largestMember names the member of an object that takes the most bytes; the text may be cut off.
func largestMember(text string) string {
	in := json.NewDecoder(strings.NewReader(text))
	if start, err := in.Token(); err != nil || start != json.Delim('{') {
		return ""
	}
	largest, most := "", int64(-1)
	for in.More() {
		name, err := in.Token()
		if err != nil {
			break
		}
		start := in.InputOffset()
		var raw json.RawMessage
		err = in.Decode(&raw)
		end := in.InputOffset()
		if err != nil {
			end = int64(len(text))
		}
		if name, ok := name.(string); ok && end-start > most {
			largest, most = name, end-start
		}
		if err != nil {
			break
		}
	}
	return largest
}
