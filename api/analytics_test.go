package api_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestAnalytics(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := &front{t: t, store: s.store, url: s.url}
	c := f.addCampaign(campaign.Running)
	path := "/v1/campaigns/" + c.ID + "/analytics"
	empty := s.call("GET", path, nil).ok(200)
	require.EqualValues(t, 0, empty["total"])
	require.EqualValues(t, 0, empty["success_rate"])
	require.Len(t, empty["by_stage"], 3)

	s.call("PATCH", "/v1/campaigns/"+c.ID, `{"success":{"stages":["Letter"],"outcomes":["PAID"]}}`).ok(200)
	f.addContact(c, "1")
	f.addContact(c, "2", func(c *campaign.Contact) { c.Status, c.CurrentStage = campaign.ContactCompleted, "Letter" })
	f.addContact(c, "3", func(c *campaign.Contact) {
		c.Status, c.Results = campaign.ContactCompleted, campaign.Dict{"OutcomeStatus": json.RawMessage(`"PAID"`)}
		m := &c.Communications[0]
		m.Status.Status, m.Channel, m.Alternative = campaign.CommunicationReplied, campaign.EmailNotification, "default"
	})
	f.addContact(c, "4", func(c *campaign.Contact) { c.Status = campaign.ContactStopped })
	a := s.call("GET", path, nil).ok(200)
	require.EqualValues(t, 4, a["total"])
	require.EqualValues(t, 3, a["processed"])
	require.InDelta(t, 0.5, a["completion_rate"], 1e-9)
	require.InDelta(t, 1, a["success_rate"], 1e-9)
	letter := a["by_alternative"].([]any)[0].(map[string]any)
	require.Equal(t, "default", letter["label"])
	require.EqualValues(t, 1, letter["replied"])
	require.EqualValues(t, 1, letter["success"])
	require.Empty(t, a["outcomes"], "only what has ended came out somehow")
	day := a["status_by_period"].([]any)[0].(map[string]any)
	require.Equal(t, time.Now().UTC().Format(time.DateOnly), day["date"])

	// A stage that is renamed stays the same one.
	stage := "/v1/campaigns/" + c.ID + "/stages/st_" + c.ID + "_Letter"
	doc := s.call("GET", stage, nil).ok(200)
	delete(doc, "id")
	doc["name"] = "First letter"
	body := map[string]any{"name": "First letter", "delivery": doc["delivery"]}
	s.call("PUT", stage, body).ok(200)
	a = s.call("GET", path, nil).ok(200)
	require.InDelta(t, 1, a["success_rate"], 1e-9)
	first := a["by_stage"].([]any)[1].(map[string]any)
	require.Equal(t, "First letter", first["stage"])
	require.EqualValues(t, 1, first["count"])

	now := time.Now().UTC()
	at := func(d time.Duration) string { return url.QueryEscape(now.Add(d).Format(time.RFC3339)) }
	before := s.call("GET", path+"?to="+at(-2*time.Hour), nil).ok(200)
	require.EqualValues(t, 0, before["total"])
	require.Empty(t, before["status_by_period"])
	hours := s.call("GET", path+"?bucket=hour&from="+at(-2*time.Hour), nil).ok(200)
	require.NotEmpty(t, hours["stage_by_period"])
	for query, field := range map[string]string{
		"?from=" + at(time.Hour): "from", "?bucket=week": "query.bucket", "?from=yesterday": "query.from",
	} {
		p := s.call("GET", path+query, nil).fails(422)
		require.NotEmpty(t, p.Errors, query)
		require.Equal(t, field, p.Errors[0].Field)
	}
	s.call("GET", "/v1/campaigns/none/analytics", nil).fails(404)
}
