package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
	a := "/v1/agents/" + s.call("POST", "/v1/agents", example("/v1/agents", "post")).ok(201)["id"].(string)
	s.call("PUT", a, example("/v1/agents/{id}", "put")).ok(200)
}

func TestTheReferenceLoadsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	page := s.call("GET", "/docs", nil)
	require.Equal(t, 200, page.Status)
	require.Contains(t, string(page.Body), "/v1/campaigns/{id}/preflight")
	require.NotRegexp(t, `(?i)<script|<link|<img|@import|url\(`, string(page.Body))
}
