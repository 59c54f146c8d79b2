package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/store"
)

// Accepted is the answer to long work: look at it again by its id.
type Accepted struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

type idInput struct {
	ID string `path:"id"`
}

func (s *Server) jobs(g huma.API) {
	op(s, g, http.MethodGet, "/jobs/{id}", "Read job", Viewer,
		func(ctx context.Context, in *idInput) (*body[store.Job], error) {
			j, err := s.Store.Job(ctx, in.ID)
			j.Spec = nil
			return &body[store.Job]{Body: j}, err
		}, describe("How far long work is: a bulk action, a simulation."))
}
