package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// document serves the reference: /openapi.json for programs, /docs for people.
// Each is made when it is first asked for, of every route there is by then.
func (s *Server) document(g huma.API) {
	doc := g.OpenAPI()
	addNulls(doc.Components.Schemas)
	addExamples(doc)
	spec := sync.OnceValues(func() ([]byte, error) { return json.Marshal(doc) })
	page := sync.OnceValues(func() ([]byte, error) {
		var b bytes.Buffer
		err := docsPage.Execute(&b, newReference(doc))
		return b.Bytes(), err
	})
	s.echo.GET("/openapi.json", made(echo.MIMEApplicationJSON, spec))
	s.echo.GET("/docs", func(c echo.Context) error {
		c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
		return made(echo.MIMETextHTMLCharsetUTF8, page)(c)
	})
}

func made(contentType string, text func() ([]byte, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		b, err := text()
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, contentType, b)
	}
}
