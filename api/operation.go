package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// maxJSON bounds a body of JSON.
const maxJSON = 32 << 20

// op registers an operation. The path may leave out the leading /v1. The
// handler runs only for callers of at least the role, after the input was
// validated, and may return any error: it goes through fail.
func op[I, O any](s *Server, api huma.API, method, path, summary string, role Role, h func(context.Context, *I) (*O, error), opts ...func(*huma.Operation)) {
	if !strings.HasPrefix(path, "/v1/") {
		path = "/v1" + path
	}
	o := huma.Operation{
		Method: method, Path: path, Summary: summary,
		OperationID:                  s.operationID(summary, path),
		Tags:                         []string{tagOf(path)},
		Description:                  "Needs the role " + string(role) + ".",
		Security:                     []map[string][]string{{"key": {}}},
		Errors:                       errorStatuses(method, path),
		MaxBodyBytes:                 maxJSON,
		BodyReadTimeout:              time.Minute,
		RejectUnknownQueryParameters: true,
	}
	for _, opt := range opts {
		opt(&o)
	}
	o.Middlewares = append(huma.Middlewares{s.require(role)}, o.Middlewares...)
	huma.Register(api, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, s.problemOf(ctx, err)
		}
		return out, nil
	})
}

// answers makes the operation answer with a status other than 200.
func answers(status int) func(*huma.Operation) {
	return func(o *huma.Operation) { o.DefaultStatus = status }
}

// describe adds to what the reference says about the operation.
func describe(text string) func(*huma.Operation) {
	return func(o *huma.Operation) { o.Description = text + "\n\n" + o.Description }
}

// problemOf is fail with the request's id; what is not the caller's fault is logged.
func (s *Server) problemOf(ctx context.Context, err error) *Problem {
	p := fail(err)
	p.RequestID = requestID(ctx)
	if p.Status >= http.StatusInternalServerError {
		s.Log.Error("request", "request_id", p.RequestID, "status", p.Status, "error", err)
	}
	return p
}

func errorStatuses(method, path string) []int {
	statuses := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	if strings.Contains(path, "{") {
		statuses = append(statuses, http.StatusNotFound)
	}
	if method != http.MethodGet {
		statuses = append(statuses, http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if method == http.MethodGet {
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}
	return statuses
}

// operationID makes "List campaigns" into "list-campaigns", and adds the tag
// where that is taken.
func (s *Server) operationID(summary, path string) string {
	id := strings.Join(strings.FieldsFunc(strings.ToLower(summary), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
	if s.ids[id] {
		id += "-" + tagOf(path)
	}
	s.ids[id] = true
	return id
}

// own lists what follows /campaigns/{id} and still is about the campaign itself.
var own = map[string]bool{"start": true, "pause": true, "resume": true, "stop": true, "preflight": true, "analytics": true, "export": true}

// tagOf names the resource of a path: "stages" for /v1/campaigns/{id}/stages/order.
func tagOf(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	if len(parts) >= 3 && parts[0] == "campaigns" && parts[1] == "{id}" && !own[parts[2]] {
		return parts[2]
	}
	return parts[0]
}
