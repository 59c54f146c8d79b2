package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
)

// runner stands in for the pool: "bad" in the code is an error on line 2, and a
// run plans one letter and writes one result.
type runner struct{}

func (runner) Check(_ context.Context, r api.CheckRequest) ([]api.CodeProblem, error) {
	if strings.Contains(r.Code, "bad") {
		return []api.CodeProblem{{Severity: api.SeverityError, Message: "invalid syntax", Line: 2, Column: 5}}, nil
	}
	if len(r.Stages) > 0 && strings.Contains(r.Code, "Nowhere") {
		return []api.CodeProblem{{Severity: api.SeverityWarning, Message: "no stage Nowhere", Line: 1}}, nil
	}
	return nil, nil
}

func (runner) Try(_ context.Context, r api.TryRequest) (api.Trial, error) {
	if strings.Contains(r.Strategy.Code, "boom") {
		return api.Trial{Error: &campaign.StrategyError{Kind: "exception", Message: "boom", Line: 3}}, nil
	}
	var c campaign.Contact
	if err := json.Unmarshal(r.Contact, &c); err != nil {
		return api.Trial{}, err
	}
	c.Results = campaign.Dict{"seen": json.RawMessage(`{"$dt":"2026-12-01T09:00:00Z"}`)}
	c.Communications = append(c.Communications, campaign.Communication{Name: "First", StageName: r.Stages[0].Name, StartDate: r.Now})
	text, err := json.Marshal(c)
	return api.Trial{Contact: text, Logs: []campaign.LogLine{{Level: "info", Message: "hi"}}}, err
}

func withRunner(d *api.Deps) { d.Runner = runner{} }

func TestStrategyCRUD(t *testing.T) {
	t.Parallel()
	s := serve(t, withRunner)
	path := s.campaign("One") + "/strategies"
	made := s.call("POST", path, map[string]any{"name": "Plan", "type": "data_load", "code": "def run(): pass\n"}).ok(201)
	require.Equal(t, "run", made["function"])
	require.EqualValues(t, 1, made["version"])
	s.call("POST", path, map[string]any{"type": "data_load", "code": "x"}).fails(409)
	s.call("POST", path, map[string]any{"code": "x"}).fails(422)
	other := s.call("POST", path, map[string]any{"type": "agent_answer", "code": "def on_agent_answer(): pass\n"}).ok(201)
	require.Equal(t, "on_agent_answer", other["function"])

	one := path + "/" + made["id"].(string)
	p := s.call("PUT", one, map[string]any{"code": "\n  bad"}).fails(422)
	require.Equal(t, "code", p.Errors[0].Field)
	require.Equal(t, 2, p.Errors[0].Line)
	require.Equal(t, 5, p.Errors[0].Column)

	made["code"] = "def run(): return 1\n"
	s.call("PUT", one, made, "If-Match", `"1"`).ok(200)
	s.call("PUT", one, made, "If-Match", `"1"`).fails(412)
	code := s.call("GET", one+"/code", nil)
	require.Equal(t, "def run(): return 1\n", string(code.Body))
	require.Contains(t, code.Header.Get("Content-Type"), "text/x-python")
	require.Len(t, s.call("GET", one+"/versions", nil).ok(200)["items"], 2)
	back := s.call("POST", one+"/rollback", map[string]any{"version": 1}).ok(200)
	require.Equal(t, "def run(): pass\n", back["code"])
	require.EqualValues(t, 3, back["version"])
	s.call("POST", one+"/rollback", map[string]any{"version": 9}).fails(422)

	id := strings.Split(path, "/")[3]
	require.NoError(t, s.store.MarkQuarantined(t.Context(), id, back["hash"].(string)))
	back = s.call("GET", one, nil).ok(200)
	require.Equal(t, true, back["quarantined"])
	require.Contains(t, s.preflight("/v1/campaigns/"+id, false), "strategy_quarantined")
	made["quarantined"] = true
	again := s.call("PUT", one, made).ok(200)
	require.Equal(t, false, again["quarantined"], "another version is not, whatever a client sends")
	require.NotContains(t, s.preflight("/v1/campaigns/"+id, true), "strategy_quarantined")
	for _, version := range []int{1, 3} {
		require.Contains(t, s.call("POST", one+"/rollback", map[string]any{"version": version}).fails(409).Detail, "quarantined")
	}
	versions := s.call("GET", one+"/versions", nil).ok(200)["items"].([]any)
	require.Equal(t, false, versions[0].(map[string]any)["quarantined"])
	require.Equal(t, true, versions[1].(map[string]any)["quarantined"])
	require.Empty(t, s.call("GET", one[:strings.Index(one, "/strategies")]+"/strategy_runs?status=error", nil).ok(200)["items"])
	require.Equal(t, 204, s.call("DELETE", one, nil).Status)
}

func TestStrategyAsAFile(t *testing.T) {
	t.Parallel()
	s := serve(t, withRunner)
	path := s.campaign("One") + "/strategies"
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	require.NoError(t, w.WriteField("type", "aggregation"))
	require.NoError(t, w.WriteField("name", "After"))
	file, err := w.CreateFormFile("file", "after.py")
	require.NoError(t, err)
	_, err = file.Write([]byte("def run():\n    pass\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	made := s.call("POST", path, form.Bytes(), "Content-Type", w.FormDataContentType()).ok(201)
	require.Equal(t, "def run():\n    pass\n", made["code"])
	require.Equal(t, "After", made["name"])
	s.call("POST", path, "nonsense", "Content-Type", "multipart/form-data; boundary=x").fails(400)
}

func TestCheckAndTry(t *testing.T) {
	t.Parallel()
	s := serve(t, withRunner)
	require.Equal(t, false, s.call("POST", "/v1/strategies/check", map[string]any{"type": "data_load", "code": "bad"}).ok(200)["ok"])
	require.Equal(t, true, s.call("POST", "/v1/strategies/check", map[string]any{"type": "data_load", "code": "fine"}).ok(200)["ok"])

	c := s.campaign("One")
	s.call("POST", c+"/stages", letter("Letter")).ok(201)
	one := c + "/strategies/" + s.call("POST", c+"/strategies", map[string]any{"type": "data_load", "code": "Nowhere"}).ok(201)["id"].(string)
	require.Contains(t, s.preflight(c, true), "strategy_error")
	out := s.call("POST", one+"/test", `{"contact":{"object_id":"o","external_id":"e","name":"Ann","parameters":{"n":12345678901234567890}},"now":"2026-12-01T09:00:00Z"}`).ok(200)
	require.Equal(t, "First", out["contact"].(map[string]any)["communications"].([]any)[0].(map[string]any)["name"])
	paths := []string{}
	for _, d := range out["diff"].([]any) {
		paths = append(paths, d.(map[string]any)["path"].(string))
	}
	require.Equal(t, []string{"communications", "results.seen"}, paths)
	require.Equal(t, []any{`results.seen: "2026-12-01T09:00:00Z"`, `plan: "First" at stage "Letter", Tue 2026-12-01 09:00 UTC`}, out["summary"])
	require.Equal(t, "2026-12-01T09:00:00Z", out["contact"].(map[string]any)["results"].(map[string]any)["seen"])
	require.Len(t, out["logs"], 1)
	require.Empty(t, s.call("GET", c+"/strategy_runs", nil).ok(200)["items"])

	s.call("PUT", one, map[string]any{"code": "boom", "network": true}).ok(200)
	require.Contains(t, s.preflight(c, true), "egress_missing")
	s.call("PATCH", c, map[string]any{"egress": map[string]any{"hosts": []string{"https://api.crm.example"}}}).fails(422)
	s.call("PATCH", c, map[string]any{"egress": map[string]any{"hosts": []string{"api.crm.example"}}}).ok(200)
	require.NotContains(t, s.preflight(c, true), "egress_missing")
	out = s.call("POST", one+"/test", `{"contact":{"name":"Ann"}}`).ok(200)
	require.Equal(t, "boom", out["error"].(map[string]any)["message"])
	require.Empty(t, out["diff"])
	require.Equal(t, []any{}, out["contact"].(map[string]any)["communications"], "no plan is an empty list, and not null")
	s.call("POST", one+"/test", `{}`).fails(422)
}

func TestWithoutARunner(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.call("POST", "/v1/strategies/check", map[string]any{"type": "data_load", "code": "x"}).fails(503)
}
