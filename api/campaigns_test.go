package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCampaignCRUD(t *testing.T) {
	t.Parallel()
	s := serve(t)
	made := s.call("POST", "/v1/campaigns", `{"name":"Invoices","labels":["billing"],"timezone":"Europe/Berlin",
		"fields":[{"name":"due","type":"date"}],
		"rules":{"hours":{"*":{"mon":[["09:00","20:00"]]}},"holidays":["2026-12-25"],"min_gap":"2h","daily_cap":5},
		"success":{"stages":["Paid"]},"egress":{"hosts":["api.crm.example:443"]},"secrets":{"token":"hunter2"}}`)
	require.NotContains(t, string(made.Body), "hunter2")
	doc := made.ok(http.StatusCreated)
	path := "/v1/campaigns/" + doc["id"].(string)
	require.Equal(t, "draft", doc["status"])
	require.Equal(t, []any{"token"}, doc["secret_names"])
	require.Equal(t, map[string]any{"started": 0.0, "total": 0.0}, doc["launch"])
	require.Nil(t, doc["finished_at"])
	require.Equal(t, `"1"`, made.Header.Get("Etag"))
	require.JSONEq(t, string(made.Body), string(s.call("GET", path, nil).Body))

	patched := s.call("PATCH", path, `{"description":"d","rules":{"daily_cap":null,"max_attempts":3},"secrets":{"token":null,"b":"x"}}`).ok(200)
	require.Equal(t, "Invoices", patched["name"])
	rules := patched["rules"].(map[string]any)
	require.NotContains(t, rules, "daily_cap")
	require.EqualValues(t, 3, rules["max_attempts"])
	require.Equal(t, "2h", rules["min_gap"])
	require.Equal(t, []any{"b"}, patched["secret_names"])

	require.Len(t, s.call("GET", "/v1/campaigns?q=bill", nil).ok(200)["items"], 1)
	require.Empty(t, s.call("GET", "/v1/campaigns?status=running", nil).ok(200)["items"])
	require.Equal(t, http.StatusNoContent, s.call("DELETE", path, nil).Status)
	s.call("GET", path, nil).fails(404)
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One")
	a := s.call("PATCH", path, `{"description":"a"}`, "If-Match", `"1"`)
	a.ok(200)
	require.Equal(t, `"2"`, a.Header.Get("Etag"))
	s.call("PATCH", path, `{"description":"b"}`, "If-Match", `"1"`).fails(http.StatusPreconditionFailed)
	s.call("PATCH", path, `{"description":"b"}`).ok(200)
	s.call("DELETE", path, nil, "If-Match", `"1"`).fails(http.StatusPreconditionFailed)
	s.call("POST", path+"/stop", nil, "If-Match", `"3"`).ok(200)
}

func TestPagesFollowEachOther(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for i := range 5 {
		s.campaign(fmt.Sprint("c", i))
	}
	seen := map[string]bool{}
	for path := "/v1/campaigns?limit=2"; ; {
		page := s.call("GET", path, nil).ok(200)
		for _, c := range page["items"].([]any) {
			seen[c.(map[string]any)["name"].(string)] = true
		}
		next, more := page["next_cursor"].(string)
		if !more {
			break
		}
		path = "/v1/campaigns?limit=2&cursor=" + next
	}
	require.Len(t, seen, 5)
}

func TestTheLifeOfACampaign(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		from []string
		want map[string]int
	}{
		{nil, map[string]int{"pause": 409, "resume": 409, "start": 200}},
		{[]string{"start"}, map[string]int{"start": 409, "resume": 409, "pause": 200}},
		{[]string{"start", "pause"}, map[string]int{"start": 409, "pause": 409, "resume": 200}},
		{[]string{"start", "pause"}, map[string]int{"stop": 200}},
		{[]string{"stop"}, map[string]int{"start": 409, "pause": 409, "resume": 409, "stop": 409}},
	} {
		t.Run(fmt.Sprint(tc.from), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			path := s.campaign("One")
			for _, action := range tc.from {
				s.call("POST", path+"/"+action, nil).ok(200)
			}
			for _, refused := range []bool{true, false} { // what is refused changes nothing, so it goes first
				for action, status := range tc.want {
					if (status == 409) == refused {
						require.Equal(t, status, s.call("POST", path+"/"+action, nil).Status, action)
					}
				}
			}
		})
	}
}

func TestAStoppedCampaignCanOnlyBeRead(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One")
	stage := path + "/stages/" + s.call("POST", path+"/stages", letter("A")).ok(201)["id"].(string)
	s.call("POST", path+"/stop", nil).ok(200)
	s.call("POST", path+"/stages", letter("B")).fails(409)
	s.call("PUT", stage, letter("C")).fails(409)
	s.call("DELETE", stage, nil).fails(409)
	s.call("GET", stage, nil).ok(200)
	require.Equal(t, http.StatusNoContent, s.call("DELETE", path, nil).Status)
}

func TestARunningCampaignIsNotDeleted(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One")
	s.call("POST", path+"/start", nil).ok(200)
	s.call("DELETE", path, nil).fails(409)
}

func TestResumePolicies(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One")
	s.call("POST", path+"/start", nil).ok(200)
	s.call("POST", path+"/pause", nil).ok(200)
	require.Equal(t, "over", s.call("POST", path+"/resume", `{"policy":"spread"}`).fails(422).Errors[0].Field)
	require.Equal(t, "policy", s.call("POST", path+"/resume", `{"policy":"later"}`).fails(422).Errors[0].Field)
	require.Equal(t, "running", s.call("POST", path+"/resume", `{"policy":"spread","over":"3h"}`).ok(200)["status"])
}
