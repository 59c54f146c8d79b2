package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/store"
)

func (s *Server) audit(g huma.API) {
	op(s, g, http.MethodGet, "/audit", "List who changed what", Admin, s.listAudit)
}

func (s *Server) listAudit(ctx context.Context, in *struct{ Page }) (*listed[store.AuditEntry], error) {
	l, err := s.Store.AuditLog(ctx, in.store())
	if err != nil {
		return nil, err
	}
	return listOf(l), nil
}
