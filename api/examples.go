package api

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// written are the examples of types whose package knows nothing of OpenAPI, by
// the name of their schema. The others are made from tags and types.
var written = map[string]string{
	"Field":   `{"name":"due_date","type":"date"}`,
	"Rules":   `{"hours":{"*":{"mon":[["09:00","20:00"]],"tue":[["09:00","20:00"]]}},"holidays":["2026-12-25"],"max_attempts":10,"min_gap":"1d"}`,
	"Success": `{"stages":["Paid"],"outcomes":["success"]}`,
	"Egress":  `{"hosts":["api.crm.example:443"]}`,
	"AgentInput": `{"name":"Anna","kind":"scripted","result_fields":[{"name":"promised","type":"date"}],"states":[{"name":"ask","start":true,
		"say":"Dear {{ name }}, when can you pay?","replies":[
		{"match":["/on (\\S+)/"],"say":"Thank you, noted: {{ results.promised }}.","results":{"promised":"$1"},"end":"completed"},
		{"match":["no","never"],"say":"A colleague will call you.","hand_off":true,"reason":"refused"},
		{"say":"On which day, please?"}]}],"integrations":{},"max_sessions":1,"settings":{},"secrets":{}}`,
	"ResultField": `{"name":"promised","type":"date"}`,
	"Delivery":    `{"channel":"email_notification","integration":"mail","subject":"Your invoice","template":"Hello {{ name }}, you owe {{ parameters.amount }}"}`,
}

// familiar are examples of texts by the name of their field.
var familiar = map[string]string{
	"id": "mfrggzdfmztwq2lknnwg", "campaign_id": "cp_mfrggzdfmztwq2lknnwg", "contact_id": "ct_0f1e2d3c4b5a69788796",
	"communication_id": "ct_0f1e2d3c4b5a69788796-1", "session_id": "ss_ct_0f1e2d3c4b5a69788796-1",
	"stage_id": "st_mfrggzdfmztwq2lknnwg", "agent_id": "ag_mfrggzdfmztwq2lknnwg", "stage_name": "First letter",
	"object_id": "INV-1042", "external_id": "customer-77", "name": "Ann", "email": "ann@example.com",
	"phone": "+14155550100", "timezone": "Europe/Berlin", "language": "en", "content": "When is it due?",
}

const unknownText = "text"

// addExamples gives every body of JSON an example made from its schema.
func addExamples(doc *huma.OpenAPI) {
	for name, text := range written {
		if s := doc.Components.Schemas.Map()[name]; s != nil {
			s.Examples = []any{json.RawMessage(text)}
		}
	}
	e := exampler{doc.Components.Schemas}
	for _, path := range doc.Paths {
		for _, o := range operationsOf(path) {
			if o.RequestBody != nil {
				e.fill(o.RequestBody.Content, true)
			}
			for _, r := range o.Responses {
				e.fill(r.Content, false)
			}
		}
	}
}

func operationsOf(p *huma.PathItem) []*huma.Operation {
	var out []*huma.Operation
	for _, o := range []*huma.Operation{p.Get, p.Post, p.Put, p.Patch, p.Delete} {
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

// exampler makes examples of schemas.
type exampler struct{ schemas huma.Registry }

func (e exampler) fill(content map[string]*huma.MediaType, request bool) {
	for kind, m := range content {
		if (kind == echo.MIMEApplicationJSON || kind == problemType) && m.Schema != nil && m.Example == nil && m.Examples == nil {
			m.Example = e.of(m.Schema, request, 0)
		}
	}
}

// maxDepth stops at schemas that contain themselves.
const maxDepth = 8

func (e exampler) of(s *huma.Schema, request bool, depth int) any {
	if s.Ref != "" && len(s.Examples) == 0 {
		if s = e.schemas.SchemaFromRef(s.Ref); s == nil {
			return nil
		}
	}
	switch {
	case depth > maxDepth:
		return nil
	case len(s.OneOf) > 0:
		return e.of(s.OneOf[0], request, depth)
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	}
	switch s.Type {
	case huma.TypeObject:
		return e.object(s, request, depth)
	case huma.TypeArray:
		items := []any{e.of(s.Items, request, depth+1)}
		for s.MinItems != nil && len(items) < *s.MinItems {
			items = append(items, items[0])
		}
		return items
	case huma.TypeInteger, huma.TypeNumber:
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 1
	case huma.TypeBoolean:
		return false
	case huma.TypeString:
		return exampleText(s.Format)
	default:
		return map[string]any{}
	}
}

func (e exampler) object(s *huma.Schema, request bool, depth int) any {
	out := map[string]any{}
	for name, p := range s.Properties {
		if p.Deprecated || request && p.ReadOnly || !request && p.WriteOnly {
			continue
		}
		out[name] = e.of(p, request, depth+1)
		if text, ok := familiar[name]; ok && out[name] == unknownText {
			out[name] = text
		}
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		out["key"] = e.of(values, request, depth+1)
	}
	return out
}

func exampleText(format string) string {
	switch format {
	case "date-time":
		return "2026-12-01T09:00:00Z"
	case "date":
		return "2026-12-01"
	case "uri":
		return "https://example.com/"
	case "email":
		return "ann@example.com"
	default:
		return unknownText
	}
}
