package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
)

// maker makes requests of a document: valid ones, as far as that can be told
// from schemas and examples, and spoiled ones. The same seed makes the same.
type maker struct {
	*rand.Rand
	doc   *document
	known *knowledge
}

// attempt is one request.
type attempt struct {
	operation *documented
	path      string // with its query, escaped
	header    map[string]string
	body      []byte
	spoiled   string // what was done to it, for people
}

// odd are texts that somebody once forgot about.
var odd = []string{
	"", " ", "a\x00b", "\x00", "\xff\xfe", "ab\xc3", "\ud7ff\U0001F469\u200D\U0001F4BB", "\u202egnol", "';--", `"\`, "{{ name", "{% if %}", "{{ name | nothing }}",
	"%s%n%d", "../../x", "-1", "0", "1e400", "NaN", "null", "true", "2026-13-45", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
	"2026-01-01T00:00:00+23:59", "99999999999999999999d", "-3h", "1h1h", "9223372036854775808", "*", "\n", "\r\nX-Odd: 1", "order", "export",
	strings.Repeat("x", 201), strings.Repeat("é", 300), strings.Repeat("long ", 14_000),
}

// oddValues are JSON that fits no field, as it is written.
var oddValues = []string{
	"null", "true", "-1", "0", "1e400", "-1e400", "1e-400", "0.5", "123456789012345678901234567890", "-9223372036854775809", "[]", "{}", "[null]", `{"a":null}`,
	`"\u0000"`, `"a\u0000b"`, `"\ud800"`, "\"\xff\"", "\"\xed\xa0\x80\"", `{"\u0000":1}`, `{"":""}`, "{\"\xff\":1}", `{"$dt":"x"}`, `{"$dt":"2026-12-01T00:00:00Z"}`, `{"$d":1}`,
	deep(70), deep(1100), deep(9_000), deep(20_000), strings.Repeat("{\"a\":", 1200) + "1" + strings.Repeat("}", 1200),
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

var oddTypes = []string{
	"text/plain", "application/xml", "application/json; charset=utf-16", ";;;", "multipart/form-data", "multipart/form-data; boundary=x", "application/cbor",
	"application/merge-patch+json", "text/csv", "application/x-ndjson", "image/png",
}

func pick[T any](m *maker, from []T) T { return from[m.IntN(len(from))] }

func (m *maker) chance(percent int) bool { return m.IntN(100) < percent }

// request makes a request of an operation; a spoiled one is wrong in one to three ways.
func (m *maker) request(o *documented, spoil bool) attempt {
	a := attempt{operation: o, header: map[string]string{}}
	concrete := m.known.path(m, o.path)
	if _, contact, ok := strings.Cut(concrete, "/contacts/ct_"); ok {
		contact, _, _ = strings.Cut(contact, "/")
		m.known.values["communication_id"] = []string{"ct_" + contact + "-1"}
	}
	query := m.query(o, 30)
	kind, body := m.body(o)
	for n := m.IntN(3) + 1; spoil && n > 0; n-- {
		switch m.IntN(8) {
		case 0:
			concrete = m.spoilPath(o.path, concrete)
			a.spoiled += " path"
		case 1:
			query = m.spoilQuery(o, query)
			a.spoiled += " query"
		case 2:
			m.spoilHeader(a.header)
			a.spoiled += " header"
		case 3:
			body = m.spoilBytes(body)
			a.spoiled += " bytes"
		default:
			body = m.spoilBody(body)
			a.spoiled += " body"
		}
	}
	if len(body) > 0 && a.header["Content-Type"] == "" {
		a.header["Content-Type"] = kind
	}
	if spoil && m.chance(5) { // alone, so that nothing else stops it
		a.header = map[string]string{"Idempotency-Key": "\xff" + fmt.Sprint(m.IntN(1000))}
	} else if m.chance(10) {
		a.header["Idempotency-Key"] = fmt.Sprint("key-", m.IntN(5))
	}
	if m.chance(10) {
		a.header["If-Match"] = fmt.Sprintf("%q", fmt.Sprint(m.IntN(3)+1))
	}
	a.path, a.body = concrete, body
	if query != "" {
		a.path += "?" + query
	}
	return a
}

func (m *maker) query(o *documented, percent int) string {
	q := url.Values{}
	for _, p := range o.params {
		if p.In == "query" && (p.Required || m.chance(percent)) {
			q.Set(p.Name, m.text(p.Name, p.Schema))
		}
	}
	return q.Encode()
}

// text makes the value of a query parameter.
func (m *maker) text(name string, s schema) string {
	if values := m.known.values[name]; len(values) > 0 && m.chance(80) {
		return pick(m, values)
	}
	switch v := m.value(name, s, 0).(type) {
	case string:
		return v
	default:
		b, _ := json.Marshal(v)
		return string(b)
	}
}

// body makes a body of one of the content types an operation takes.
func (m *maker) body(o *documented) (string, []byte) {
	if len(o.bodies) == 0 {
		return "application/json", nil
	}
	kind := pick(m, slices.Sorted(maps.Keys(o.bodies)))
	content := o.bodies[kind]
	switch kind {
	case "multipart/form-data":
		return m.form(content.Schema)
	case "text/csv":
		return kind, []byte(fmt.Sprintf("name;email;phone;object_id;external_id;amount\nAda;ada@example.com;+14155550100;file-%d;p-%d;12\nBob;nonsense;;;;\n", m.IntN(9), m.IntN(9)))
	case "application/x-ndjson":
		return kind, []byte(fmt.Sprintf(`{"name":"Ada","email":"","phone":"","object_id":"line-%d","external_id":"p-1","amount":7}`, m.IntN(9)))
	}
	if content.Example != nil && m.chance(50) || content.Schema == nil {
		return kind, encoded(m.relate("", content.Example))
	}
	return kind, encoded(m.value("", content.Schema, 0))
}

func (m *maker) form(s schema) (string, []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("fuzzboundary")
	for name, p := range ordered(s.properties()) {
		if name != "file" {
			_ = w.WriteField(name, m.text(name, p))
		}
	}
	part, _ := w.CreateFormFile("file", "file.csv")
	_, _ = part.Write([]byte("name,email,phone,object_id,external_id\nAda,ada@example.com,,form-1,p-1\n"))
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

// ordered visits a map in the order of its keys, so that a seed makes the same.
func ordered[V any](all map[string]V) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(name, all[name]) {
				return
			}
		}
	}
}

// relate puts what is known into an example, so that it fits the fixture.
func (m *maker) relate(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, value := range ordered(v) {
			out[k] = m.relate(k, value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = m.relate(name, v[i])
		}
		return out
	case string:
		if values := m.known.values[name]; len(values) > 0 && m.chance(80) {
			return pick(m, values)
		}
	}
	return v
}

// value makes a value of a schema.
func (m *maker) value(name string, s schema, depth int) any {
	s = m.doc.resolve(s)
	if either, ok := s["oneOf"].([]any); ok {
		return m.value(name, either[0].(map[string]any), depth)
	}
	if options, ok := s["enum"].([]any); ok {
		return pick(m, options)
	}
	if values := m.known.values[name]; len(values) > 0 && !slices.Contains(s.types(), "array") && m.chance(80) {
		return pick(m, values)
	}
	if examples, ok := s["examples"].([]any); ok && len(examples) > 0 && m.chance(60) {
		return m.relate(name, examples[0])
	}
	kind := ""
	if types := s.types(); len(types) > 0 {
		kind = pick(m, types)
	}
	switch kind {
	case "object":
		return m.object(s, depth)
	case "array":
		items, _ := s["items"].(map[string]any)
		out := []any{}
		for range m.IntN(3) {
			if depth < 6 {
				out = append(out, m.value(name, items, depth+1))
			}
		}
		return out
	case "integer":
		return m.IntN(12)
	case "number":
		return float64(m.IntN(40)) / 4
	case "boolean":
		return m.chance(50)
	case "string":
		return m.string(s)
	default:
		return nil
	}
}

func (m *maker) string(s schema) string {
	switch s["format"] {
	case "date-time":
		return pick(m, []string{"2026-12-01T09:00:00Z", "2031-02-03T04:05:06+02:00", "2020-01-01T00:00:00Z"})
	case "date":
		return "2026-12-01"
	}
	return pick(m, []string{"text", "Ann", "spring", "a b", "ann@example.com", "+14155550100"})
}

func (m *maker) object(s schema, depth int) any {
	out := map[string]any{}
	required, _ := s["required"].([]any)
	for name, p := range ordered(s.properties()) {
		if p["readOnly"] == true || depth > 6 {
			continue
		}
		if slices.Contains(required, any(name)) || m.chance(40) {
			out[name] = m.value(name, p, depth+1)
		}
	}
	if more, ok := s["additionalProperties"].(map[string]any); ok && m.chance(60) {
		out[pick(m, []string{"email", "key", "*"})] = m.value("", more, depth+1)
	}
	return out
}

func (m *maker) spoilPath(template, concrete string) string {
	parts, names := strings.Split(concrete, "/"), strings.Split(template, "/")
	var ids []int
	for i := range names {
		if strings.HasPrefix(names[i], "{") {
			ids = append(ids, i)
		}
	}
	if len(ids) > 0 {
		parts[pick(m, ids)] = url.PathEscape(pick(m, odd))
	}
	return strings.Join(parts, "/")
}

func (m *maker) spoilQuery(o *documented, query string) string {
	var names []string
	for _, p := range o.params {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	names = append(names, "colour", "field.amount", "field[amount]", "field.", "field[", "field", "field.\x00", "field.[0]", `field.a"\`, "field.$")
	value := pick(m, odd)
	name := pick(m, names)
	if name == "cursor" && m.chance(80) {
		value = m.cursor()
	}
	more := url.QueryEscape(name) + "=" + url.QueryEscape(value)
	if m.chance(10) {
		more = pick(m, []string{"%zz", "=&&=", "limit", ";", "limit=1&limit=2", "%00=%00", "field[a]=1&field[a]=2"})
	}
	return strings.TrimPrefix(query+"&"+more, "&")
}

// cursor changes a cursor that was given out, or makes up one.
func (m *maker) cursor() string {
	var c map[string]any
	if given := m.known.values["cursor"]; len(given) > 0 {
		text, _ := base64.RawURLEncoding.DecodeString(pick(m, given))
		_ = json.Unmarshal(text, &c)
	}
	at, _ := c["a"].([]any)
	if len(at) == 0 || m.chance(20) {
		return base64.RawURLEncoding.EncodeToString([]byte(pick(m, oddValues)))
	}
	at[m.IntN(len(at))] = json.RawMessage(pick(m, []string{`"x"`, "1", "null", "[1]", `{"a":1}`, "true", "1.5", "-9223372036854775808", `"\u0000"`, "9223372036854775807"}))
	return base64.RawURLEncoding.EncodeToString(encoded(c))
}

func (m *maker) spoilHeader(h map[string]string) {
	long := strings.Repeat("k", 300)
	switch m.IntN(8) {
	case 0, 1:
		h["Content-Type"] = pick(m, oddTypes)
	case 2:
		h["If-Match"] = pick(m, []string{"*", `W/"1"`, "1", `"0"`, ",,,", long, "\xff", `"1", "2"`})
	case 3, 4:
		h["Idempotency-Key"] = pick(m, []string{" ", long, "\xff\xfe", "ключ", strings.Repeat("k", 255), "a/b c"})
	case 5:
		h["Accept"] = pick(m, []string{"application/xml", "text/html", "application/cbor", "*/*;q=0", ";", "\xff"})
	case 6:
		h["X-Request-Id"] = pick(m, []string{"a b", "\xff", long, "ok-1"})
	default:
		h["Authorization"] = pick(m, []string{"Bearer", "Bearer x", "Basic eDp4", "\xff", "Bearer " + long})
	}
}

// spoilBytes breaks the text of a body.
func (m *maker) spoilBytes(b []byte) []byte {
	b = bytes.Clone(b)
	at := 0
	if len(b) > 0 {
		at = m.IntN(len(b))
	}
	switch m.IntN(7) {
	case 0:
		return b[:at]
	case 1:
		return slices.Insert(b, at, pick(m, [][]byte{{0}, {0xff}, {0xc3}, []byte("\\"), []byte(`"`), []byte("{"), []byte("]"), []byte("\r\n\r\n"), {0xef, 0xbb, 0xbf}})...)
	case 2:
		return append(b, pick(m, [][]byte{[]byte("{}"), []byte("x"), {0}, []byte(" ")})...)
	case 3:
		return []byte(pick(m, oddValues))
	case 4:
		return []byte(pick(m, odd))
	case 5:
		return append([]byte{0xff, 0xfe}, bytes.Join(bytes.SplitAfter(b, nil), []byte{0})...) // UTF-16 in a way
	default:
		return nil
	}
}

// spoilBody changes one value of a JSON body and leaves it JSON; others get
// their bytes spoiled.
func (m *maker) spoilBody(b []byte) []byte {
	var v any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return m.spoilBytes(b)
	}
	return encoded(m.spoil(v))
}

func (m *maker) spoil(v any) any {
	switch node := v.(type) {
	case map[string]any:
		names := slices.Sorted(maps.Keys(node))
		if len(names) == 0 || m.chance(15) {
			node[pick(m, append([]string{"colour", "ID", "_"}, odd[:12]...))] = m.strange()
			return node
		}
		name := pick(m, names)
		if m.chance(15) {
			delete(node, name)
			return node
		}
		node[name] = m.spoil(node[name])
		return node
	case []any:
		if len(node) == 0 || m.chance(20) {
			return append(node, m.strange())
		}
		if m.chance(10) {
			return slices.Repeat(node, 600/len(node))
		}
		i := m.IntN(len(node))
		node[i] = m.spoil(node[i])
		return node
	default:
		return m.strange()
	}
}

// strange is a value that is not expected.
func (m *maker) strange() any {
	if m.chance(50) {
		return verbatim(pick(m, oddValues))
	}
	return pick(m, odd)
}

// verbatim is JSON that encoded leaves as it is, valid or not.
type verbatim string

// encoded writes JSON; unlike json.Marshal it can write what is not valid.
func encoded(v any) []byte { return appendJSON(nil, v) }

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case verbatim:
		return append(b, v...)
	case json.RawMessage:
		return append(b, v...)
	case map[string]any:
		b = append(b, '{')
		for name, value := range ordered(v) {
			b = appendJSON(append(appendJSON(b, name), ':'), value)
			b = append(b, ',')
		}
		return append(bytes.TrimSuffix(b, []byte(",")), '}')
	case []any:
		b = append(b, '[')
		for _, value := range v {
			b = append(appendJSON(b, value), ',')
		}
		return append(bytes.TrimSuffix(b, []byte(",")), ']')
	default:
		text, _ := json.Marshal(v)
		return append(b, text...)
	}
}
