package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"carillon/workflows"
)

// Health says that the process answers.
type Health struct {
	Status  string `json:"status" example:"ok"`
	Version string `json:"version" example:"1.0.0"`
}

// Readiness says which parts are there: ok, or what is the matter.
type Readiness struct {
	Ready    bool   `json:"ready"`
	Store    string `json:"store" example:"ok"`
	Temporal string `json:"temporal" example:"ok"`
	Worker   string `json:"worker" example:"ok"`
	Mode     string `json:"mode" example:"outbox"`
}

type readyOutput struct {
	Status int
	Body   Readiness
}

// readyTime bounds every check of readiness.
const readyTime = 3 * time.Second

func (s *Server) health(g huma.API) {
	huma.Register(g, huma.Operation{
		Method: http.MethodGet, Path: "/healthz", OperationID: "health", Summary: "The process answers", Tags: []string{"health"},
	}, func(context.Context, *struct{}) (*body[Health], error) {
		return &body[Health]{Health{"ok", s.Version}}, nil
	})
	huma.Register(g, huma.Operation{
		Method: http.MethodGet, Path: "/readyz", OperationID: "readiness", Summary: "Store, Temporal and a worker are there (else 503)", Tags: []string{"health"},
		Responses: map[string]*huma.Response{"503": {Description: "Not ready", Content: map[string]*huma.MediaType{
			echo.MIMEApplicationJSON: {Schema: huma.SchemaFromType(g.OpenAPI().Components.Schemas, reflect.TypeFor[Readiness]())},
		}}},
	}, func(ctx context.Context, _ *struct{}) (*readyOutput, error) {
		out := &readyOutput{Status: http.StatusOK, Body: s.readiness(ctx)}
		if !out.Body.Ready {
			out.Status = http.StatusServiceUnavailable
		}
		return out, nil
	})
	s.echo.GET("/metrics", echo.WrapHandler(s.metrics.handler()))
	g.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: "/metrics", OperationID: "metrics", Summary: "Numbers for Prometheus", Tags: []string{"health"},
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	})
}

func (s *Server) readiness(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	r := Readiness{Store: "ok", Temporal: "ok", Worker: "ok", Mode: s.Mode}
	if err := s.Store.Ping(ctx); err != nil {
		r.Store = "away"
		s.Log.Warn("store is away", "error", err)
	}
	if s.Temporal == nil {
		r.Temporal, r.Worker = "not configured", "unknown"
		return r
	}
	if _, err := s.Temporal.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		r.Temporal, r.Worker = "away", "unknown"
		s.Log.Warn("temporal is away", "error", err)
		return r
	}
	queue, err := s.Temporal.DescribeTaskQueue(ctx, workflows.QueueContacts, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	switch {
	case err != nil:
		r.Worker = "unknown"
		s.Log.Warn("describe task queue", "error", err)
	case len(queue.GetPollers()) == 0:
		r.Worker = "none polls"
	}
	r.Ready = r.Store == "ok" && r.Worker == "ok"
	return r
}
