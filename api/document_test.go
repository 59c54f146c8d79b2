package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// contract lists the routes of the REST contract that are in this package.
const contract = `
GET POST /v1/campaigns
GET PATCH DELETE /v1/campaigns/{id}
POST /v1/campaigns/{id}/start
POST /v1/campaigns/{id}/pause
POST /v1/campaigns/{id}/resume
POST /v1/campaigns/{id}/stop
GET /v1/campaigns/{id}/preflight
GET POST /v1/campaigns/{id}/stages
PUT /v1/campaigns/{id}/stages/order
GET PUT DELETE /v1/campaigns/{id}/stages/{stage_id}
POST /v1/campaigns/{id}/stages/{stage_id}/pause
POST /v1/campaigns/{id}/stages/{stage_id}/resume
POST /v1/campaigns/{id}/stages/{stage_id}/preview
POST /v1/campaigns/{id}/stages/{stage_id}/test_send
GET POST /v1/campaigns/{id}/strategies
GET PUT DELETE /v1/campaigns/{id}/strategies/{strategy_id}
GET /v1/campaigns/{id}/strategies/{strategy_id}/code
GET /v1/campaigns/{id}/strategies/{strategy_id}/versions
POST /v1/campaigns/{id}/strategies/{strategy_id}/rollback
POST /v1/campaigns/{id}/strategies/{strategy_id}/test
POST /v1/strategies/check
GET /v1/campaigns/{id}/strategy_runs
GET POST /v1/keys
DELETE /v1/keys/{key_id}
GET /v1/audit
GET /healthz
GET /readyz
GET /metrics
`

func TestTheDocumentHasEveryRouteOfTheContract(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.key = ""
	doc := s.call("GET", "/openapi.json", nil).ok(200)
	require.Equal(t, "3.1.0", doc["openapi"])
	paths := doc["paths"].(map[string]any)
	for line := range strings.Lines(strings.TrimSpace(contract)) {
		words := strings.Fields(line)
		path := words[len(words)-1]
		require.Contains(t, paths, path)
		for _, method := range words[:len(words)-1] {
			require.Contains(t, paths[path], strings.ToLower(method), path)
		}
	}
}

func TestOperationsAreDescribed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	doc := s.call("GET", "/openapi.json", nil).ok(200)
	ids := map[string]string{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, o := range item.(map[string]any) {
			op := o.(map[string]any)
			id, _ := op["operationId"].(string)
			require.NotEmpty(t, id, path)
			require.NotEmpty(t, op["summary"], id)
			require.NotEmpty(t, op["tags"], id)
			require.Empty(t, ids[id], "%s is at %s and %s", id, ids[id], path)
			ids[id] = path
			if strings.HasPrefix(path, "/v1/") {
				require.NotEmpty(t, op["security"], id)
				require.Contains(t, op["responses"], "401", id)
			}
			if request, ok := op["requestBody"].(map[string]any); ok {
				if media, ok := request["content"].(map[string]any)["application/json"].(map[string]any); ok {
					require.Contains(t, media, "example", method+" "+path)
				}
			}
		}
	}
}

func TestExamplesOfRequestsAreAccepted(t *testing.T) {
	t.Parallel()
	s := serve(t)
	doc := s.call("GET", "/openapi.json", nil).ok(200)
	example := func(path, method string) any {
		op := doc["paths"].(map[string]any)[path].(map[string]any)[method].(map[string]any)
		return op["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["example"]
	}
	c := "/v1/campaigns/" + s.call("POST", "/v1/campaigns", example("/v1/campaigns", "post")).ok(201)["id"].(string)
	s.call("PATCH", c, example("/v1/campaigns/{id}", "patch")).ok(200)
	s.call("POST", c+"/stages", example("/v1/campaigns/{id}/stages", "post")).ok(201)
	s.call("POST", c+"/strategies", example("/v1/campaigns/{id}/strategies", "post")).ok(201)
	s.call("POST", "/v1/keys", example("/v1/keys", "post")).ok(201)
}

func TestTheReferenceLoadsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	page := s.call("GET", "/docs", nil)
	require.Equal(t, 200, page.Status)
	require.Contains(t, string(page.Body), "/v1/campaigns/{id}/preflight")
	require.NotRegexp(t, `(?i)<script|<link|<img|@import|url\(`, string(page.Body))
}
