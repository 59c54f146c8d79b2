package bundle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"carillon/campaign"
)

var (
	bundleType  = reflect.TypeFor[Bundle]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	anyValue    = reflect.TypeFor[json.RawMessage]()
)

// Limits on what a small text may unfold to.
const (
	maxNodes = 200_000
	maxDepth = 50
)

// typed turns YAML into what encoding/json makes a bundle of, and notes
// everything that a bundle has no place for.
type typed struct {
	found []campaign.FieldError
	nodes int
	depth int
}

func (r *typed) problem(n *yaml.Node, at, format string, args ...any) any {
	if at == "" {
		at = "bundle"
	}
	r.found = append(r.found, campaign.FieldError{Field: at, Message: fmt.Sprintf(format, args...), Line: n.Line, Column: n.Column})
	return nil
}

// value reads a node as a value of the type.
func (r *typed) value(n *yaml.Node, t reflect.Type, at string) any {
	r.nodes++
	if r.nodes > maxNodes || r.depth > maxDepth {
		if r.nodes <= maxNodes+1 {
			r.nodes = maxNodes + 1
			return r.problem(n, at, "the bundle unfolds to too much from here on")
		}
		return nil
	}
	r.depth++
	defer func() { r.depth-- }()
	if n.Kind == yaml.AliasNode {
		return r.value(n.Alias, t, at)
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if t == anyValue {
		return r.anything(n, at)
	}
	if reflect.PointerTo(t).Implements(unmarshaler) && slices.Contains([]reflect.Kind{reflect.String, reflect.Int64}, t.Kind()) {
		return r.own(n, t, at)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return r.value(n, t.Elem(), at)
	case reflect.Struct:
		return r.object(n, t, at)
	case reflect.Map:
		return r.dictionary(n, t, at)
	case reflect.Slice, reflect.Array:
		return r.list(n, t, at)
	default:
		return r.scalar(n, t, at)
	}
}

// own reads a text that has a form of its own, such as a duration.
func (r *typed) own(n *yaml.Node, t reflect.Type, at string) any {
	if n.Kind != yaml.ScalarNode {
		return r.problem(n, at, "a text belongs here")
	}
	text, err := json.Marshal(n.Value)
	if err != nil {
		return r.problem(n, at, "is not valid")
	}
	if err := json.Unmarshal(text, reflect.New(t).Interface()); err != nil {
		return r.problem(n, at, "%s", err)
	}
	return n.Value
}

func (r *typed) object(n *yaml.Node, t reflect.Type, at string) any {
	if n.Kind != yaml.MappingNode {
		return r.problem(n, at, "keys and values belong here")
	}
	fields := map[string]reflect.Type{}
	var known []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			fields[name] = f.Type
			known = append(known, name)
		}
	}
	return r.pairs(n, at, func(key string, k, v *yaml.Node, where string) any {
		of, ok := fields[key]
		if !ok {
			return r.problem(k, where, "there is no such key here; there are %s", strings.Join(known, ", "))
		}
		return r.value(v, of, where)
	})
}

func (r *typed) dictionary(n *yaml.Node, t reflect.Type, at string) any {
	if n.Kind != yaml.MappingNode {
		return r.problem(n, at, "keys and values belong here")
	}
	return r.pairs(n, at, func(_ string, _, v *yaml.Node, where string) any { return r.value(v, t.Elem(), where) })
}

// pairs reads a mapping. A key is text as it is written: no and 12 are names too.
func (r *typed) pairs(n *yaml.Node, at string, read func(key string, k, v *yaml.Node, where string) any) any {
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			r.problem(k, at, "a key is a text")
			continue
		}
		where := k.Value
		if at != "" {
			where = at + "." + k.Value
		}
		if _, twice := out[k.Value]; twice {
			r.problem(k, where, "is there twice")
			continue
		}
		out[k.Value] = read(k.Value, k, v, where)
	}
	return out
}

func (r *typed) list(n *yaml.Node, t reflect.Type, at string) any {
	if n.Kind != yaml.SequenceNode {
		return r.problem(n, at, "a list belongs here")
	}
	if t.Kind() == reflect.Array && len(n.Content) != t.Len() {
		return r.problem(n, at, "a list of %d belongs here", t.Len())
	}
	out := []any{}
	for i, item := range n.Content {
		out = append(out, r.value(item, t.Elem(), at+"["+strconv.Itoa(i)+"]"))
	}
	return out
}

func (r *typed) scalar(n *yaml.Node, t reflect.Type, at string) any {
	if n.Kind != yaml.ScalarNode {
		return r.problem(n, at, "a single value belongs here")
	}
	switch {
	case t.Kind() == reflect.String:
		return n.Value // as it is written: 2026-12-25 and 09:00 are no times
	case t.Kind() == reflect.Bool:
		var v bool
		if n.Decode(&v) != nil {
			return r.problem(n, at, "true or false belongs here")
		}
		return v
	case slices.Contains([]reflect.Kind{reflect.Int, reflect.Int32, reflect.Int64}, t.Kind()):
		var v int32
		if n.Decode(&v) != nil {
			return r.problem(n, at, "a whole number belongs here")
		}
		return v
	case t.Kind() == reflect.Float64:
		var v float64
		if n.Decode(&v) != nil || v != v || v > 1e15 || v < -1e15 {
			return r.problem(n, at, "a number belongs here")
		}
		return v
	default:
		return r.anything(n, at)
	}
}

// anything reads a value that may have any form. A date stays the text it is.
func (r *typed) anything(n *yaml.Node, at string) any {
	switch n.Kind {
	case yaml.MappingNode:
		return r.pairs(n, at, func(_ string, _, v *yaml.Node, where string) any { return r.value(v, anyValue, where) })
	case yaml.SequenceNode:
		out := []any{}
		for i, item := range n.Content {
			out = append(out, r.value(item, anyValue, at+"["+strconv.Itoa(i)+"]"))
		}
		return out
	default:
	}
	if n.Tag == "!!timestamp" {
		return n.Value
	}
	var v any
	if n.Decode(&v) != nil {
		return r.problem(n, at, "cannot be read")
	}
	if _, err := json.Marshal(v); err != nil {
		return r.problem(n, at, "cannot be read")
	}
	return v
}
