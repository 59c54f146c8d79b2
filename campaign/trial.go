package campaign

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"
)

// Trial is what a strategy would make of a contact.
type Trial struct {
	After   Contact
	Diff    []Difference // of the contact as REST shows it
	Summary []string     // the same in words, one line for each thing that would be done
	Notes   []string     // what the strategy may not change, or what is left out, and why
}

// Difference is one place where two documents differ.
type Difference struct {
	Path string          `json:"path" example:"parameters.amount"`
	From json.RawMessage `json:"from" doc:"null where there was nothing."`
	To   json.RawMessage `json:"to" doc:"null where there is nothing."`
}

// Try takes what a strategy returned for a contact over into a copy of it, by
// the rules of a real run. Nothing returned is no change; again is a re-import.
// The summary's times are in the contact's zone, else in the given one. What
// cannot be taken over is a [BadResultError].
func Try(base Contact, returned json.RawMessage, k Knowledge, again bool, zone *time.Location) (Trial, error) {
	t := Trial{After: base.Clone(), Diff: []Difference{}, Summary: []string{}}
	if len(returned) == 0 {
		return t, nil
	}
	change, err := Diff(base, returned, k)
	if err != nil {
		return t, err
	}
	after := base.Clone()
	done := change.Apply(&after, k.Now, again)
	if err := after.CheckSize(); err != nil {
		return t, badResult("contact", "%v", err)
	}
	before, err := shown(&base)
	if err != nil {
		return t, err
	}
	now, err := shown(&after)
	if err != nil {
		return t, err
	}
	t.After, t.Diff = after, differences(t.Diff, "", before, now)
	t.Summary = append(t.Summary, change.describe(&base, &after, &done, zone)...)
	t.Notes = append(slices.Clone(change.Ignored), done.Notes...)
	return t, nil
}

// shown is a contact's document as REST shows it.
func shown(c *Contact) (any, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return decodeExact(Plain(text))
}

// differences lists where two documents differ, dictionaries key by key.
func differences(into []Difference, path string, from, to any) []Difference {
	if reflect.DeepEqual(from, to) {
		return into
	}
	a, isDict := from.(map[string]any)
	b, both := to.(map[string]any)
	if !isDict || !both {
		return append(into, Difference{Path: path, From: jsonOf(from), To: jsonOf(to)})
	}
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := key
		if path != "" {
			at = path + "." + key
		}
		into = differences(into, at, a[key], b[key])
	}
	return into
}

func jsonOf(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimSpace(b.Bytes())
}
