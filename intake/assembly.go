package intake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// unstorable is the warning on a value that mend had to change.
const unstorable = "has characters that cannot be read or stored: they were replaced"

// assembly puts a row together value by value and keeps an eye on its size.
type assembly struct {
	row     *Row
	columns *columns
	size    int
	largest string
	most    int
}

// set gives the row the value of one column.
func (a *assembly) set(col column, v value) {
	if col.target == "" {
		return
	}
	text, mended := mend(v.text)
	if mended {
		a.row.warn(col.target, text, unstorable)
		v.text = text
	}
	if col.system {
		a.setField(col, v)
		return
	}
	raw := v.json()
	if col.typed != nil {
		var reason string
		if raw, reason = col.typed.convert(v); reason != "" {
			a.row.fail(col.target, v.text, reason)
			return
		}
	}
	if a.row.Parameters == nil {
		a.row.Parameters = make(map[string]json.RawMessage)
	}
	a.row.Parameters[col.target] = raw
	a.grow(col.target, len(raw))
}

// setField gives the row a system field. White space around it is noise: it would make a second contact of "123 ".
func (a *assembly) setField(col column, v value) {
	if v.kind == kindNested || v.kind == kindBoolean {
		a.row.fail(col.target, v.text, "must be text")
		return
	}
	v.text = strings.TrimSpace(v.text)
	if col.typed != nil {
		if _, reason := col.typed.convert(v); reason != "" {
			a.row.fail(col.target, v.text, reason)
		}
	}
	if a.row.Fields == nil {
		a.row.Fields = make(map[string]string)
	}
	if col.target == "telegram_chat_id" && v.text == "" && !a.columns.partial {
		return // a chat comes by our link, which files do not know: an empty cell says nothing of it
	}
	a.row.Fields[col.target] = v.text
	a.grow(col.target, len(quote(v.text)))
}

func (a *assembly) grow(name string, size int) {
	a.size += len(name) + size + len(`"":,`)
	if size > a.most {
		a.largest, a.most = name, size
	}
}

// finish checks the row as a whole.
func (a *assembly) finish() {
	if a.size > MaxRow {
		a.row.Parameters = nil
		a.row.tooLarge(a.largest, kibibytes(a.size))
		return
	}
	for _, name := range []string{"name", "email", "phone", "object_id", "external_id", "timezone"} {
		if text, ok := a.row.Fields[name]; ok {
			a.columns.check(a.row, name, text)
		}
	}
	// The errors first: they are what the row has to be mended for.
	slices.SortStableFunc(a.row.Problems, func(x, y Problem) int { return strings.Compare(x.Severity, y.Severity) })
}

func (r *Row) tooLarge(largest, size string) {
	reason := fmt.Sprintf("the row takes %s and may take %s", size, kibibytes(MaxRow))
	if largest != "" {
		reason += "; its largest field is " + cut(largest)
	}
	r.fail(cut(largest), "", reason)
}

func kibibytes(n int) string { return fmt.Sprintf("%d KiB", (n+1023)>>10) }
