package api

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

// register makes every route. This is the list of resources.
func (s *Server) register() {
	g := s.newAPI()

	s.campaigns(g)
	s.bundles(g)
	s.stages(g)
	s.strategies(g)
	s.preflight(g)
	s.analytics(g)
	s.stuck(g)
	s.imports(g)
	s.contacts(g)
	s.operations(g)
	s.sessions(g)
	s.inbox(g)
	s.agentRoutes(g)
	s.integrations(g)
	s.channelsInfo(g)
	s.outbox(g)
	s.webhooks(g)
	s.unsubscribing(g)
	s.jobs(g)
	s.settings(g)
	s.suppressions(g)
	s.keys(g)
	s.audit(g)
	s.health(g)

	s.document(g) // last: it shows all of the above
}

func (s *Server) newAPI() huma.API {
	harden()
	config := huma.DefaultConfig("Carillon", s.Version)
	config.Info.Description = "Multi-stage conversations with many contacts. Times are RFC 3339 in UTC, durations text such as 90s, 72h or 3d."
	config.Servers = []*huma.Server{{URL: "/"}}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", "" // served by document
	config.CreateHooks = nil
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	config.Components.Schemas = newRegistry()
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key; see /v1/keys."},
	}
	return humaecho.NewV4WithGroup(s.echo, s.echo.Group(""), config)
}
