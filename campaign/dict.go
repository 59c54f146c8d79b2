package campaign

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// Dict is a free dictionary of a contact: values stay exactly as they were
// written, so big integers keep their digits. A datetime inside is tagged
// {"$dt": "RFC 3339"} and a date {"$d": "2026-12-01"}; Plain drops the tags.
type Dict map[string]json.RawMessage

// MarshalJSON writes {} for a nil dictionary.
func (d Dict) MarshalJSON() ([]byte, error) {
	if d == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]json.RawMessage(d))
}

// Keys returns the keys in order.
func (d Dict) Keys() []string { return slices.Sorted(maps.Keys(d)) } //workflowcheck:ignore

// bytes is about how long the dictionary is as JSON.
func (d Dict) bytes() int {
	n := 2
	for _, k := range d.Keys() {
		n += len(k) + len(d[k]) + 4
	}
	return n
}

// Text returns the value under a key if it is a string, else "".
func (d Dict) Text(key string) string {
	var s string
	if raw, ok := d[key]; !ok || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// Clone copies the dictionary; values are shared, they are never written to.
func (d Dict) Clone() Dict { return maps.Clone(d) } //workflowcheck:ignore

// Plain returns the value with every datetime and date tag replaced by its
// text, as REST and templates show it.
func Plain(raw json.RawMessage) json.RawMessage {
	if !bytes.Contains(raw, []byte(`"$d`)) {
		return raw
	}
	v, err := decodeExact(raw)
	if err != nil {
		return raw
	}
	out, err := json.Marshal(plain(v))
	if err != nil {
		return raw
	}
	return out
}

func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 1 {
			for _, tag := range []string{"$dt", "$d"} {
				if s, ok := v[tag].(string); ok {
					return s
				}
			}
		}
		for k := range v {
			v[k] = plain(v[k])
		}
		return v
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return v
	default:
		return v
	}
}

func decodeExact(raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

// sameJSON reports whether two values mean the same, whatever their spacing
// and key order.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	va, errA := decodeExact(a)
	vb, errB := decodeExact(b)
	return errA == nil && errB == nil && reflect.DeepEqual(va, vb)
}

// DictChange is what happened to a dictionary, key by key.
type DictChange struct {
	Set    Dict     `json:"set,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

func diffDict(base, next Dict) DictChange {
	var c DictChange
	for _, k := range next.Keys() {
		if old, ok := base[k]; !ok || !sameJSON(old, next[k]) {
			if c.Set == nil {
				c.Set = Dict{}
			}
			c.Set[k] = next[k]
		}
	}
	for _, k := range base.Keys() {
		if _, ok := next[k]; !ok {
			c.Remove = append(c.Remove, k)
		}
	}
	return c
}

// IsZero reports that nothing changed.
func (c DictChange) IsZero() bool { return len(c.Set) == 0 && len(c.Remove) == 0 }

func (c DictChange) apply(d Dict) Dict {
	if c.IsZero() {
		return d
	}
	out := d.Clone()
	if out == nil {
		out = Dict{}
	}
	for _, k := range c.Set.Keys() {
		out[k] = c.Set[k]
	}
	for _, k := range c.Remove {
		delete(out, k)
	}
	return out
}
