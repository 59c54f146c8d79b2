package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
)

func (s *service) agent(name string, status campaign.AgentStatus) {
	s.t.Helper()
	require.NoError(s.t, s.store.CreateAgent(s.t.Context(), campaign.Agent{
		ID: "ag_" + name, Name: name, Kind: campaign.AgentExternal, Status: status, States: []campaign.AgentState{{Name: "hello", Start: true}}, Version: 1,
	}))
}

func TestStageCRUD(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One") + "/stages"
	body := letter("Letter")
	body["alternatives"] = []any{map[string]any{"label": "short", "weight": 2, "delivery": body["delivery"]}}
	made := s.call("POST", path, body)
	a := made.ok(http.StatusCreated)
	require.EqualValues(t, 1, a["weight"])
	require.Equal(t, `"1"`, made.Header.Get("Etag"))
	one := path + "/" + a["id"].(string)

	s.call("POST", path, letter("Letter")).fails(409)
	b := s.call("POST", path, map[string]any{"name": "End", "outcome": "success", "delivery": map[string]any{"channel": "none", "start_state": "done"}}).ok(201)
	require.Equal(t, "success", b["outcome"])

	read := s.call("GET", one, nil).ok(200)
	read["name"], read["session_timeout"] = "Renamed", "3d"
	put := s.call("PUT", one, read, "If-Match", `"1"`).ok(200) // what was read may be sent back
	require.Equal(t, "Renamed", put["name"])
	require.Equal(t, "3d", put["session_timeout"])
	require.EqualValues(t, 2, put["version"])
	s.call("PUT", one, read, "If-Match", `"1"`).fails(412)
	read["name"] = "End"
	s.call("PUT", one, read).fails(409)

	ids := []any{b["id"], a["id"]}
	ordered := s.call("PUT", path+"/order", map[string]any{"stage_ids": ids}).ok(200)["items"].([]any)
	require.Equal(t, "End", ordered[0].(map[string]any)["name"])
	s.call("PUT", path+"/order", map[string]any{"stage_ids": ids[:1]}).fails(409)

	s.call("POST", one+"/pause", nil).ok(200)
	s.call("POST", one+"/pause", nil).fails(409)
	s.call("POST", one+"/resume", nil).ok(200)
	require.Equal(t, 204, s.call("DELETE", one, nil).Status)
	require.Len(t, s.call("GET", path, nil).ok(200)["items"], 1)
}

func TestStageProblemsNameTheirFields(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One") + "/stages"
	for _, tc := range []struct{ name, body, field string }{
		{"an unknown channel", `{"name":"a","delivery":{"channel":"pigeon"}}`, "delivery.channel"},
		{"a missing field of the channel", `{"name":"a","delivery":{"channel":"email_notification","subject":"s"}}`, "delivery.template"},
		{"a template that cannot be parsed", `{"name":"a","delivery":{"channel":"email_notification","subject":"s","template":"{% if %}"}}`, "delivery.template"},
		{"an agent that does not exist", `{"name":"a","delivery":{"channel":"telegram","agent":"nobody"}}`, "delivery.agent"},
		{"a condition that cannot be parsed", `{"name":"a","send_if":"a ==","delivery":{"channel":"human"}}`, "send_if"},
		{"an alternative", `{"name":"a","delivery":{"channel":"human"},"alternatives":[{"label":"b","delivery":{"channel":"sip","agent":"nobody"}}]}`, "alternatives[0].delivery.agent"},
		{"a wait for a link where none is", `{"name":"a","delivery":{"channel":"human","wait_for_link":true}}`, "delivery.wait_for_link"},
		{"the same in an alternative", `{"name":"a","delivery":{"channel":"human"},"alternatives":[{"label":"b","delivery":{"channel":"human","wait_for_link":true}}]}`, "alternatives[0].delivery.wait_for_link"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := s.call("POST", path, tc.body).fails(422)
			require.Equal(t, tc.field, p.Errors[0].Field, "%+v", p.Errors)
		})
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One") + "/stages"
	body := letter("Letter")
	body["send_if"] = "parameters.paid != true"
	one := path + "/" + s.call("POST", path, body).ok(201)["id"].(string)
	shown := s.call("POST", one+"/preview", `{"contact":{"name":"Ann","email":"ann@example.com","parameters":{"amount":120,"paid":true}}}`).ok(200)
	require.Equal(t, false, shown["send_if"])
	first := shown["alternatives"].([]any)[0].(map[string]any)
	require.Equal(t, "Hello Ann, you owe 120", first["message"].(map[string]any)["body"])
	require.Equal(t, "ann@example.com", first["to"])
	require.Empty(t, first["warnings"])
	shown = s.call("POST", one+"/preview", `{"contact":{"name":"Ann"}}`).ok(200)
	require.Len(t, shown["alternatives"].([]any)[0].(map[string]any)["warnings"], 2) // no amount, no address
	s.call("POST", one+"/preview", `{}`).fails(422)
	s.call("POST", one+"/preview", `{"contact_id":"ct_none"}`).fails(404)
	s.call("POST", one+"/preview", `{"contact":{"name":3}}`).fails(422)
}

func TestTestSend(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One") + "/stages"
	one := path + "/" + s.call("POST", path, letter("Letter")).ok(201)["id"].(string)
	sent := s.call("POST", one+"/test_send", `{"to":"me@example.com","contact":{"name":"Ann","parameters":{"amount":1}}}`).ok(200)
	require.Equal(t, "me@example.com", sent["to"])
	require.Equal(t, "Hello Ann, you owe 1", sent["body"])
	s.call("POST", one+"/test_send", `{"to":"me@example.com","contact":{"name":"Ann"}}`).fails(422)

	live := serve(t, func(d *api.Deps) { d.Mode = api.ModeLive })
	path = live.campaign("One") + "/stages"
	one = path + "/" + live.call("POST", path, letter("Letter")).ok(201)["id"].(string)
	live.call("POST", one+"/test_send", `{"to":"me@example.com","contact":{"name":"Ann","parameters":{"amount":1}}}`).fails(409)
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) { d.Mode = api.ModeLive })
	s.agent("anna", campaign.AgentStopped)
	path := s.campaign("One")
	require.Subset(t, s.preflight(path, true), []string{"no_stages", "no_contacts", "no_data_load", "no_aggregation"})

	s.call("POST", path+"/stages", `{"name":"Call","delivery":{"channel":"twilio","agent":"anna","start_state":"nowhere"}}`).ok(201)
	require.Subset(t, s.preflight(path, false), []string{"agent_not_running", "unknown_start_state", "integration_missing", "hours_missing"})
	p := s.call("POST", path+"/start", nil).fails(409)
	require.Len(t, p.Errors, 1)
	require.Equal(t, "integration_missing", p.Errors[0].Code)
	require.Equal(t, "stages[Call].delivery.integration", p.Errors[0].Field)
}

func TestAStoredStageWithAFieldThatMeansNothingRunsOn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("One")
	_, err := s.store.CreateStage(t.Context(), campaign.Stage{
		ID: "st_old", CampaignID: strings.TrimPrefix(path, "/v1/campaigns/"), Name: "Old", Weight: 1, Delivery: campaign.Delivery{Channel: campaign.Human, WaitForLink: true},
	})
	require.NoError(t, err)
	require.Contains(t, s.preflight(path, true), "stage_invalid", "a warning")
	read := s.call("GET", path+"/stages/st_old", nil).ok(200)
	p := s.call("PUT", path+"/stages/st_old", read).fails(422)
	require.Equal(t, "delivery.wait_for_link", p.Errors[0].Field)
	delete(read["delivery"].(map[string]any), "wait_for_link")
	s.call("PUT", path+"/stages/st_old", read).ok(200)
	require.NotContains(t, s.preflight(path, true), "stage_invalid")
}

// preflight returns the codes and wants ok to be as said.
func (s *service) preflight(campaignPath string, ok bool) []string {
	s.t.Helper()
	a := s.call("GET", campaignPath+"/preflight", nil)
	var report api.Preflight
	require.NoError(s.t, json.Unmarshal(a.Body, &report))
	require.Equal(s.t, ok, report.OK, "%s", a.Body)
	var codes []string
	for _, p := range report.Problems {
		codes = append(codes, p.Code)
	}
	return codes
}
