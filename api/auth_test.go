package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.key = ""
	a := s.call("GET", "/v1/campaigns", nil)
	a.fails(http.StatusUnauthorized)
	require.Equal(t, "Bearer", a.Header.Get("Www-Authenticate"))
	s.key = "wrong"
	s.call("GET", "/v1/campaigns", nil).fails(http.StatusUnauthorized)

	s.key = adminKey
	made := s.call("POST", "/v1/keys", map[string]any{"name": "crm", "role": "viewer"}).ok(http.StatusCreated)
	text := made["key"].(string)
	require.NotContains(t, string(s.call("GET", "/v1/keys", nil).Body), text)

	s.key = text
	s.call("GET", "/v1/campaigns", nil).ok(200)
	s.call("POST", "/v1/campaigns", map[string]any{"name": "x"}).fails(http.StatusForbidden)
	s.call("GET", "/v1/keys", nil).fails(http.StatusForbidden)
	s.call("POST", "/v1/campaigns", `{"colour":1}`).fails(http.StatusForbidden) // before anything is said about the input

	s.key = adminKey
	listed := s.call("GET", "/v1/keys", nil).ok(200)["items"].([]any)
	require.Len(t, listed, 1)
	require.NotNil(t, listed[0].(map[string]any)["last_used"])
	require.Equal(t, http.StatusNoContent, s.call("DELETE", "/v1/keys/"+made["id"].(string), nil).Status)
	s.key = text
	s.call("GET", "/v1/campaigns", nil).fails(http.StatusUnauthorized)
}

func TestWithoutKeysOnlyThisMachineMayCall(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) { d.AdminKey = "" })
	s.call("GET", "/v1/keys", nil).ok(200)
	s.call("GET", "/v1/keys", nil, "X-Forwarded-For", "10.1.2.3").fails(http.StatusForbidden)
	s.call("GET", "/v1/keys", nil, "Origin", "https://evil.example").fails(http.StatusForbidden)
	s.call("POST", "/v1/keys", map[string]any{"name": "crm", "role": "admin"}).ok(http.StatusCreated)
	s.call("GET", "/v1/keys", nil).fails(http.StatusUnauthorized) // there is a key now
}

func TestKeysCanBeRequired(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) { d.AdminKey, d.RequireKeys = "", true })
	s.call("GET", "/v1/campaigns", nil).fails(http.StatusUnauthorized)
}

func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.campaign("One")
	s.call("PATCH", c, map[string]any{"description": "d"}).ok(200)
	log := s.call("GET", "/v1/audit", nil).ok(200)["items"].([]any)
	require.Len(t, log, 2)
	last := log[0].(map[string]any)
	require.Equal(t, "update", last["action"])
	require.Equal(t, "admin", last["actor"])
	require.Equal(t, c[len("/v1/"):], last["resource"])
}
