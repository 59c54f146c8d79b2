package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// document is the served OpenAPI document, as far as a client needs it to make
// requests and to judge answers.
type document struct {
	schemas    map[string]schema
	operations []documented
}

// schema is a JSON schema as it is written.
type schema map[string]any

// documented is one operation of the document.
type documented struct {
	method, path string
	params       []parameter
	bodies       map[string]media            // by content type
	answers      map[string]map[string]media // by status and content type
}

type parameter struct {
	Name, In string
	Required bool
	Schema   schema
}

type media struct {
	Schema  schema
	Example any
}

// readDocument reads the text of /openapi.json.
func readDocument(t testing.TB, text []byte) *document {
	t.Helper()
	var raw struct {
		Paths map[string]map[string]struct {
			Parameters  []parameter
			RequestBody struct{ Content map[string]media }
			Responses   map[string]struct{ Content map[string]media }
		}
		Components struct{ Schemas map[string]schema }
	}
	require.NoError(t, json.Unmarshal(text, &raw))
	d := &document{schemas: raw.Components.Schemas}
	for _, path := range slices.Sorted(maps.Keys(raw.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(raw.Paths[path])) {
			o := raw.Paths[path][method]
			out := documented{
				method: strings.ToUpper(method), path: path, params: o.Parameters, bodies: o.RequestBody.Content, answers: map[string]map[string]media{},
			}
			for status, r := range o.Responses {
				out.answers[status] = r.Content
			}
			d.operations = append(d.operations, out)
		}
	}
	require.NotEmpty(t, d.operations)
	return d
}

func (o *documented) String() string { return o.method + " " + o.path }

// resolve follows a reference.
func (d *document) resolve(s schema) schema {
	for s["$ref"] != nil {
		s = d.schemas[strings.TrimPrefix(s["$ref"].(string), "#/components/schemas/")]
	}
	return s
}

// types lists the types a schema allows; none is any.
func (s schema) types() []string {
	switch t := s["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, v := range t {
			out = append(out, v.(string))
		}
		return out
	default:
		return nil
	}
}

func (s schema) properties() map[string]schema {
	out := map[string]schema{}
	all, _ := s["properties"].(map[string]any)
	for name, p := range all {
		out[name] = p.(map[string]any)
	}
	return out
}

// differs says where a value is not what its schema promises; "" if it is.
func (d *document) differs(s schema, v any, at string) string {
	if s = d.resolve(s); s["oneOf"] != nil && v == nil {
		return "" // the other one is null
	} else if either, ok := s["oneOf"].([]any); ok {
		return d.differs(either[0].(map[string]any), v, at)
	}
	if types := s.types(); len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return isA(v, t) }) {
		return fmt.Sprintf("%s is %T and not %v", at, v, types)
	}
	if options, ok := s["enum"].([]any); ok && !slices.Contains(options, v) {
		return fmt.Sprintf("%s is %v and not one of %v", at, v, options)
	}
	switch v := v.(type) {
	case map[string]any:
		return d.objectDiffers(s, v, at)
	case []any:
		items, ok := s["items"].(map[string]any)
		for i := range v {
			if text := d.differs(items, v[i], fmt.Sprintf("%s[%d]", at, i)); ok && text != "" {
				return text
			}
		}
	}
	return ""
}

func (d *document) objectDiffers(s schema, v map[string]any, at string) string {
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			return fmt.Sprintf("%s.%s is not there", at, name)
		}
	}
	properties := s.properties()
	for name, value := range v {
		p, known := properties[name]
		switch more := s["additionalProperties"].(type) {
		case bool:
			if !known && !more {
				return fmt.Sprintf("%s.%s is not documented", at, name)
			}
		case map[string]any:
			if !known {
				p, known = more, true
			}
		}
		if known {
			if text := d.differs(p, value, at+"."+name); text != "" {
				return text
			}
		}
	}
	return ""
}

func isA(v any, t string) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case float64:
		return t == "number" || t == "integer" && v == float64(int64(v))
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	default:
		return false
	}
}
