package api

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// patchOf is a JSON merge patch (RFC 7396) of a T: fields that are not there
// stay, null empties one, dictionaries are merged and lists replaced.
type patchOf[T any] struct{ raw json.RawMessage }

// UnmarshalJSON keeps the text: what is absent matters.
func (p *patchOf[T]) UnmarshalJSON(b []byte) error {
	p.raw = bytes.Clone(b)
	return nil
}

// Schema is that of T, whose fields must all be optional.
func (patchOf[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// over returns the document that base becomes.
func (p patchOf[T]) over(base T) (T, error) {
	var out T
	text, err := json.Marshal(base)
	if err != nil {
		return out, err
	}
	old, err := exact(text)
	if err != nil {
		return out, err
	}
	change, err := exact(p.raw)
	if err != nil {
		return out, err
	}
	if text, err = json.Marshal(mergePatch(old, change)); err != nil {
		return out, err
	}
	return out, json.Unmarshal(text, &out)
}

func mergePatch(old, change any) any {
	fields, ok := change.(map[string]any)
	if !ok {
		return change
	}
	into, ok := old.(map[string]any)
	if !ok {
		into = map[string]any{}
	}
	for name, v := range fields {
		if v == nil {
			delete(into, name)
			continue
		}
		into[name] = mergePatch(into[name], v)
	}
	return into
}

// exact decodes JSON with every digit of its numbers.
func exact(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}
