package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// document serves the reference: /openapi.json for programs, /docs for people.
// Both are made once, when every route is known.
func (s *Server) document(g huma.API) error {
	doc := g.OpenAPI()
	addExamples(doc)
	spec, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	yaml, err := doc.YAML()
	if err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	var page bytes.Buffer
	if err := docsPage.Execute(&page, newReference(doc)); err != nil {
		return fmt.Errorf("write the reference: %w", err)
	}
	s.echo.GET("/openapi.json", fixed(echo.MIMEApplicationJSON, spec))
	s.echo.GET("/openapi.yaml", fixed("application/yaml", yaml))
	s.echo.GET("/docs", func(c echo.Context) error {
		c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
		return fixed(echo.MIMETextHTMLCharsetUTF8, page.Bytes())(c)
	})
	return nil
}

func fixed(contentType string, b []byte) echo.HandlerFunc {
	return func(c echo.Context) error { return c.Blob(http.StatusOK, contentType, b) }
}

// addExamples gives every body of JSON an example made from its schema.
func addExamples(doc *huma.OpenAPI) {
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
	if s.Ref != "" {
		if s = e.schemas.SchemaFromRef(s.Ref); s == nil {
			return nil
		}
	}
	switch {
	case depth > maxDepth:
		return nil
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
		return "text"
	}
}
