package api_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func contactPath(c campaign.Contact) string {
	return "/v1/campaigns/" + c.CampaignID + "/contacts/" + c.ID
}

func TestContactsAreFiltered(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft, campaign.Field{Name: "city", Type: "string", Indexed: true})
	f.addContact(c, "one", func(c *campaign.Contact) {
		c.Parameters = campaign.Dict{"city": json.RawMessage(`"Riga"`), "due": json.RawMessage(`{"$dt":"2026-12-01T10:00:00Z"}`), "number": json.RawMessage(`12345678901234567890`)}
		c.CurrentStage = "Letter"
	})
	f.addContact(c, "two", func(c *campaign.Contact) {
		c.Status, c.Attention = campaign.ContactNeedsAttention, &campaign.Attention{Reason: "strategy_error"}
	})
	f.addContact(c, "three", func(c *campaign.Contact) {
		c.Held, c.Outcome = &campaign.Hold{Cause: "agent_full"}, campaign.OutcomeSuccess
	})
	for query, want := range map[string][]string{
		"":                          {"one", "three", "two"},
		"?field.city=Riga":          {"one"},
		"?field.city=Oslo":          {},
		"?field.number=0":           {},
		"?stage=Letter":             {"one"},
		"?attention=true":           {"two"},
		"?attention=strategy_error": {"two"},
		"?held=true":                {"three"},
		"?held=agent_full":          {"three"},
		"?held=false&status=pending&field.city=Riga": {"one"},
		"?outcome=success":                           {"three"},
		"?q=ada+t":                                   {"three", "two"},
		"?object_id=two":                             {"two"},
		"?external_id=p-two":                         {"two"},
		"?idle=true":                                 {},
		"?updated_since=" + time.Now().UTC().Format("2006") + "-01-01T00:00:00Z": {"one", "three", "two"},
	} {
		list := f.get("/v1/campaigns/" + c.ID + "/contacts" + query).is(http.StatusOK)
		got := []string{}
		for _, item := range list.at("items").([]any) {
			got = append(got, item.(map[string]any)["object_id"].(string))
		}
		require.ElementsMatch(t, want, got, query)
		require.Nil(t, list.at("next_cursor"), query)
	}
	require.Contains(t, f.get("/v1/campaigns/"+c.ID+"/contacts?object_id=one").raw, `"due":"2026-12-01T10:00:00Z","number":12345678901234567890`)
	f.get("/v1/campaigns/"+c.ID+"/contacts?colour=red").problem(http.StatusUnprocessableEntity, "query.colour")
	f.get("/v1/campaigns/"+c.ID+"/contacts?status=sleepy").problem(http.StatusUnprocessableEntity, "query.status")
	f.get("/v1/campaigns/nowhere/contacts").problem(http.StatusNotFound, "")
	require.Len(t, f.get("/v1/contacts?external_id=p-two").is(http.StatusOK).at("items"), 1)

	page := f.get("/v1/campaigns/" + c.ID + "/contacts?limit=2").is(http.StatusOK)
	require.Len(t, page.at("items"), 2)
	require.Len(t, f.get("/v1/campaigns/"+c.ID+"/contacts?limit=2&cursor="+page.text("next_cursor")).is(http.StatusOK).at("items"), 1)
}

func TestContactIsReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft, campaign.Field{Name: "amount", Type: "integer"})
	one := f.addContact(c, "one")
	read := f.get(contactPath(one)).is(http.StatusOK)
	require.Equal(t, c.ID+"/"+one.ID, read.text("workflow_id"))
	require.Empty(t, read.text("temporal_url"), "there is no workflow yet")
	require.Equal(t, "PLANNED", read.text("communications.0.status.status"))
	f.get("/v1/campaigns/other/contacts/"+one.ID).problem(http.StatusNotFound, "")

	changed := f.send(http.MethodPatch, contactPath(one), "application/json", `{"name":"Grace","parameters":{"amount":"12"}}`).is(http.StatusOK)
	require.Equal(t, "Grace", changed.text("name"))
	require.Equal(t, "one@example.com", changed.text("email"), "what is absent stays")
	require.InDelta(t, 12, changed.at("parameters.amount"), 0)
	for body, field := range map[string]string{
		`{"name":""}`:                      "name",
		`{"email":"nonsense"}`:             "email",
		`{"parameters":{"amount":"much"}}`: "parameters.amount",
		`{"parameters":{"E-Mail":"x"}}`:    "parameters.E-Mail",
		`{"status":"completed"}`:           "status",
	} {
		f.send(http.MethodPatch, contactPath(one), "application/json", body).problem(http.StatusUnprocessableEntity, field)
	}
	kinds := []any{}
	for _, d := range f.get(contactPath(one) + "/timeline").is(http.StatusOK).at("items").([]any) {
		kinds = append(kinds, d.(map[string]any)["kind"])
	}
	require.Equal(t, []any{"imported", "operator"}, kinds)

	running := f.addContact(c, "two")
	_, err := f.store.BeginRun(t.Context(), running.ID, "run-1", time.Now().UTC())
	require.NoError(t, err)
	require.Equal(t, "http://ui.example/namespaces/default/workflows/"+c.ID+"%2F"+running.ID, f.get(contactPath(running)).text("temporal_url"))
	f.send(http.MethodPatch, contactPath(running), "application/json", `{"name":"Grace"}`).problem(http.StatusConflict, "")
	f.send(http.MethodDelete, contactPath(running), "", "").problem(http.StatusConflict, "")
	f.send(http.MethodDelete, contactPath(one), "", "").is(http.StatusNoContent)
	f.get(contactPath(one)).problem(http.StatusNotFound, "")
}

func TestPlanAndListsOfAContact(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	one := f.addContact(c, "one")
	plan := f.get(contactPath(one) + "/plan").is(http.StatusOK)
	require.Equal(t, "First letter at stage Letter", plan.text("next_action"))
	require.NotEmpty(t, plan.text("at"))
	require.Equal(t, []any{"the campaign is draft"}, plan.at("blockers"))

	all := "/v1/campaigns/" + c.ID
	require.Equal(t, one.ID, f.get(all+"/communications?status=PLANNED&stage=Letter").is(http.StatusOK).text("items.0.contact_id"))
	require.Empty(t, f.get(all+"/communications?status=SENT").is(http.StatusOK).at("items"))
	require.Equal(t, one.ID, f.get(all+"/decisions?kind=imported").is(http.StatusOK).text("items.0.contact_id"))
	require.InDelta(t, 1, f.get(all + "/decisions?count=true").is(http.StatusOK).at("counts").(map[string]any)["imported/created"], 0)
}

func TestContactsAreExported(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft, campaign.Field{Name: "amount", Type: "integer"})
	f.addContact(c, "one", func(c *campaign.Contact) { c.Parameters = campaign.Dict{"amount": json.RawMessage(`12`)} })
	f.addContact(c, "two")
	file := f.get("/v1/campaigns/" + c.ID + "/contacts/export").is(http.StatusOK)
	require.Equal(t, "text/csv; charset=utf-8", file.header.Get("Content-Type"))
	rows, err := csv.NewReader(strings.NewReader(file.raw)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, []string{"name", "email", "phone", "object_id", "external_id", "timezone", "language", "telegram_chat_id", "amount"}, rows[0][:9])
	lines := strings.Split(strings.TrimSpace(f.get("/v1/campaigns/"+c.ID+"/contacts/export?format=ndjson&object_id=one").is(http.StatusOK).raw), "\n")
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], `"object_id":"one"`)
}

func TestOperationsOnContactsThatHaveNotStarted(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	one, two := f.addContact(c, "one"), f.addContact(c, "two")
	at := contactPath(one)

	require.Equal(t, true, f.post(at+"/pause", "").is(http.StatusOK).at("paused"))
	f.post(at+"/pause", "").problem(http.StatusConflict, "")
	require.Equal(t, false, f.post(at+"/resume", `{}`).is(http.StatusOK).at("paused"))
	f.post(at+"/retry", "").problem(http.StatusConflict, "")

	body := `{"communication_id":"` + one.ID + `-1","start_date":"2030-01-02T03:04:05+01:00"}`
	require.Equal(t, "2030-01-02T02:04:05Z", f.post(at+"/reschedule", body).is(http.StatusOK).text("next_action_at"))
	f.post(at+"/reschedule", `{"communication_id":"x","start_date":"2030-01-02T03:04:05Z"}`).problem(http.StatusUnprocessableEntity, "communication_id")
	f.post(at+"/move", `{"stage_name":"Nowhere"}`).problem(http.StatusUnprocessableEntity, "stage_name")
	moved := f.post(at+"/move", `{"stage_name":"Letter","send_now":true}`).is(http.StatusOK)
	require.Equal(t, "Letter", moved.text("current_stage"))
	require.Len(t, moved.at("communications"), 2)
	require.Equal(t, "SKIPPED", f.post(at+"/skip", "").is(http.StatusOK).text("communications.1.status.status"))
	paid := f.post(at+"/move", `{"stage_name":"Paid"}`).is(http.StatusOK)
	require.Equal(t, "completed", paid.text("status"))
	require.Equal(t, "success", paid.text("outcome"))
	require.Equal(t, "pending", f.post(at+"/move", `{"stage_name":"Letter","send_now":true}`).is(http.StatusOK).text("status"))

	stopped := f.post(contactPath(two)+"/stop", `{"reason":"asked us to"}`).is(http.StatusOK)
	require.Equal(t, "stopped", stopped.text("status"))
	require.Equal(t, "CANCELED", stopped.text("communications.0.status.status"))
	f.post(contactPath(two)+"/stop", "").problem(http.StatusConflict, "")
	f.post(contactPath(two)+"/restart", "").problem(http.StatusConflict, "")
	f.post(contactPath(two)+"/reset", "").problem(http.StatusConflict, "")
	f.post("/v1/campaigns/"+c.ID+"/contacts/bulk", `{"filter":{},"action":"move"}`).problem(http.StatusUnprocessableEntity, "stage_name")
	f.post("/v1/campaigns/"+c.ID+"/contacts/bulk", `{"filter":{},"action":"stop"}`).problem(http.StatusServiceUnavailable, "")
}
