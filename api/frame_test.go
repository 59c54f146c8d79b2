package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
	"carillon/store"
)

func TestErrorsAreProblems(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.campaign("One")
	for _, tc := range []struct {
		name, method, path string
		body               any
		status             int
		code, field        string
	}{
		{"an unknown path", "GET", "/v1/nothing", nil, 404, "not_found", ""},
		{"an unknown path outside /v1", "GET", "/nothing", nil, 404, "not_found", ""},
		{"a method that is not there", "PUT", "/v1/campaigns", "{}", 405, "method_not_allowed", ""},
		{"a record that is not there", "GET", "/v1/campaigns/cp_none", nil, 404, "not_found", ""},
		{"a body that is not JSON", "POST", "/v1/campaigns", "{", 400, "unreadable", "body"},
		{"no body", "POST", "/v1/campaigns", nil, 400, "unreadable", ""},
		{"a missing field", "POST", "/v1/campaigns", "{}", 422, "invalid", "name"},
		{"an unknown field", "POST", "/v1/campaigns", `{"name":"x","colour":"red"}`, 422, "invalid", "colour"},
		{"an unknown nested field", "POST", "/v1/campaigns", `{"name":"x","rules":{"colour":"red"}}`, 422, "invalid", "rules.colour"},
		{"a wrong type", "POST", "/v1/campaigns", `{"name":3}`, 422, "invalid", "name"},
		{"a rule of the domain", "POST", "/v1/campaigns", `{"name":"x","timezone":"Mars/Base"}`, 422, "invalid", "timezone"},
		{"a bad duration", "POST", "/v1/campaigns", `{"name":"x","rules":{"min_gap":"soon"}}`, 422, "invalid", "rules.min_gap"},
		{"an unknown query parameter", "GET", "/v1/campaigns?colour=red", nil, 422, "invalid", "query.colour"},
		{"a limit over the limit", "GET", "/v1/campaigns?limit=501", nil, 422, "invalid", "query.limit"},
		{"a cursor we did not give", "GET", "/v1/campaigns?cursor=abc", nil, 422, "invalid", "cursor"},
		{"a state that forbids it", "POST", c + "/pause", nil, 409, "conflict", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := s.call(tc.method, tc.path, tc.body).fails(tc.status)
			require.Equal(t, tc.code, p.Code)
			if tc.field != "" {
				require.NotEmpty(t, p.Errors)
				require.Equal(t, tc.field, p.Errors[0].Field)
				require.NotEmpty(t, p.Errors[0].Message)
			}
		})
	}
}

func TestAMediaTypeWeDoNotReadIs415(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.call("POST", "/v1/campaigns", "name: x", "Content-Type", "application/yaml").fails(http.StatusUnsupportedMediaType)
}

func TestErrorsNeverEchoTheInput(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, body := range []string{
		`{"name":"x","secrets":{"token":["hunter2"]}}`, `{"name":"x","secrets":"hunter2"}`, `{"name":{"a":"hunter2"}}`, `hunter2`,
	} {
		a := s.call("POST", "/v1/campaigns", body)
		require.GreaterOrEqual(t, a.Status, 400)
		require.NotContains(t, string(a.Body), "hunter2", body)
	}
}

// broken is a store whose errors must stay inside.
type broken struct{ api.Store }

func (broken) Campaign(context.Context, string) (campaign.Campaign, error) {
	return campaign.Campaign{}, errors.New("pq: password leaked")
}

func (broken) Keys(context.Context) ([]store.Key, error) { panic("password leaked") }

func TestAnUnknownErrorIsInternal(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) { d.Store = broken{d.Store} })
	for _, path := range []string{"/v1/campaigns/cp_x", "/v1/keys"} {
		a := s.call("GET", path, nil)
		p := a.fails(http.StatusInternalServerError)
		require.Equal(t, "internal error", p.Detail)
		require.Equal(t, "internal", p.Code)
		require.NotContains(t, string(a.Body), "leaked")
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t)
	big := `{"name":"` + strings.Repeat("x", 33<<20) + `"}`
	s.call("POST", "/v1/campaigns", big).fails(http.StatusRequestEntityTooLarge)
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.Equal(t, "abc-1", s.call("GET", "/healthz", nil, "X-Request-Id", "abc-1").Header.Get("X-Request-Id"))
	require.NotEqual(t, "a b", s.call("GET", "/healthz", nil, "X-Request-Id", "a b").Header.Get("X-Request-Id"))
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.key = ""
	require.Equal(t, "ok", s.call("GET", "/healthz", nil).ok(200)["status"])
	ready := s.call("GET", "/readyz", nil).ok(http.StatusServiceUnavailable)
	require.Equal(t, "ok", ready["store"])
	require.Equal(t, false, ready["ready"])
	metrics := s.call("GET", "/metrics", nil)
	require.Equal(t, 200, metrics.Status)
	require.Contains(t, string(metrics.Body), "carillon_http_requests_total")
}

func TestTheConsoleGetsEveryOtherPath(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) {
		d.Console = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("console")) })
	})
	require.Equal(t, "console", string(s.call("GET", "/campaigns/cp_1", nil).Body))
	s.call("GET", "/v1/nothing", nil).fails(404)
}

func TestACursorThatWasChangedIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.campaign("One")
	s.campaign("Two")
	given := s.call("GET", "/v1/campaigns?limit=1", nil).ok(200)["next_cursor"].(string)
	text, err := base64.RawURLEncoding.DecodeString(given)
	require.NoError(t, err)
	var c map[string]any
	require.NoError(t, json.Unmarshal(text, &c))
	for _, at := range [][]any{{"x", "cp_1"}, {1, 2}, {nil, "cp_1"}, {[]any{1}, "cp_1"}, {1.5, "cp_1"}, {true, "cp_1"}, {1}} {
		c["a"] = at
		text, err := json.Marshal(c)
		require.NoError(t, err)
		p := s.call("GET", "/v1/campaigns?limit=1&cursor="+base64.RawURLEncoding.EncodeToString(text), nil).fails(http.StatusUnprocessableEntity)
		require.Equal(t, "cursor", p.Errors[0].Field)
	}
}
