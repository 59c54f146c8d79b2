package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestAgents(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	id := f.post("/v1/agents", `{"name":"Anna","kind":"external","max_sessions":3,"result_fields":[{"name":"paid"}]}`).is(http.StatusCreated).text("id")
	at := "/v1/agents/" + id
	read := f.get(at).is(http.StatusOK)
	require.Equal(t, "stopped", read.text("status"))
	require.InDelta(t, 3, read.at("max_sessions"), 0)
	require.Equal(t, []any{}, read.at("states"))

	f.post("/v1/agents", `{"name":"Anna","kind":"external"}`).problem(http.StatusConflict, "")
	f.post("/v1/agents", `{"name":"Robot","kind":"robot"}`).problem(http.StatusUnprocessableEntity, "kind")
	f.post("/v1/agents", `{"name":"Zero","kind":"external","max_sessions":0}`).problem(http.StatusUnprocessableEntity, "max_sessions")
	f.post("/v1/agents", `{"name":"Lost","kind":"external","integrations":{"email":"in_none"}}`).problem(http.StatusUnprocessableEntity, "integrations.email")

	require.Equal(t, "running", f.post(at+"/start", "").is(http.StatusOK).text("status"))
	changed := f.put(at, `{"name":"Hannah","kind":"external","max_sessions":null,"secrets":{"api_key":"s3cret"}}`).is(http.StatusOK)
	require.Equal(t, "running", changed.text("status"), "a change does not stop it")
	require.Nil(t, changed.at("max_sessions"))
	require.Equal(t, []any{"api_key"}, changed.at("secret_names"))
	require.NotContains(t, changed.raw, "s3cret")
	require.Equal(t, "stopped", f.post(at+"/stop", "").is(http.StatusOK).text("status"))

	require.Len(t, f.get("/v1/agents").is(http.StatusOK).at("items"), 1)
	c := f.addCampaign(campaign.Draft)
	_, err := f.store.UpdateStage(t.Context(), c.ID, "st_"+c.ID+"_Chat", func(s *campaign.Stage) error { s.Delivery.Agent = id; return nil })
	require.NoError(t, err)
	f.send(http.MethodDelete, at, "", "").problem(http.StatusConflict, "")
	other := f.post("/v1/agents", `{"name":"Otto","kind":"external"}`).is(http.StatusCreated).text("id")
	f.send(http.MethodDelete, "/v1/agents/"+other, "", "").is(http.StatusNoContent)
	f.get("/v1/agents/"+other).problem(http.StatusNotFound, "")
}

func TestIntegrations(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	id := f.post("/v1/integrations", `{"name":"Dev","provider":"outbox","rate_per_second":5}`).is(http.StatusCreated).text("id")
	at := "/v1/integrations/" + id
	f.post("/v1/integrations", `{"name":"Dev","provider":"outbox"}`).problem(http.StatusConflict, "")
	f.post("/v1/integrations", `{"name":"X","provider":"pigeon"}`).problem(http.StatusUnprocessableEntity, "provider")
	f.post("/v1/integrations", `{"name":"X","provider":"outbox","settings":{"colour":"red"}}`).problem(http.StatusUnprocessableEntity, "settings.colour")
	f.post("/v1/integrations", `{"name":"X","provider":"outbox","secrets":{"key":"s3cret"}}`).problem(http.StatusUnprocessableEntity, "secrets.key")

	require.Equal(t, true, f.post(at+"/verify", "").is(http.StatusOK).at("ok"))
	require.Equal(t, "Prod", f.put(at, `{"name":"Prod","provider":"outbox"}`).is(http.StatusOK).text("name"))
	require.Equal(t, true, f.post(at+"/pause", "").is(http.StatusOK).at("paused"))
	f.post(at+"/pause", "").problem(http.StatusConflict, "")
	f.post(at+"/resume", `{"policy":"spread"}`).problem(http.StatusUnprocessableEntity, "over")
	require.Equal(t, false, f.post(at+"/resume", "").is(http.StatusOK).at("paused"))
	f.post(at+"/resume", "").problem(http.StatusConflict, "")

	_, err := f.store.UpdateIntegration(t.Context(), id, func(i *campaign.Integration) error { // as the breaker does
		i.Paused, i.Status, i.StatusMessage = true, "error", "config 401 (communication c-1)"
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, true, f.post(at+"/verify", "").is(http.StatusOK).at("ok"))
	for _, r := range []reply{f.get(at), f.put(at, `{"name":"Prod","provider":"outbox","rate_per_second":1}`)} {
		require.Equal(t, true, r.is(http.StatusOK).at("paused"))
		require.Equal(t, "error config 401 (communication c-1)", r.text("status")+" "+r.text("status_message"), "it says why until it is resumed")
	}
	resumed := f.post(at+"/resume", "").is(http.StatusOK)
	require.Equal(t, "ok ", resumed.text("status")+" "+resumed.text("status_message"))

	agent := f.post("/v1/agents", `{"name":"Anna","kind":"external","integrations":{"human":"`+id+`"}}`)
	agent.problem(http.StatusUnprocessableEntity, "integrations.human")
	anna := f.post("/v1/agents", `{"name":"Anna","kind":"external","integrations":{"email":"`+id+`"}}`).is(http.StatusCreated).text("id")
	require.Len(t, f.get("/v1/integrations").is(http.StatusOK).at("items"), 1)
	f.send(http.MethodDelete, at, "", "").problem(http.StatusConflict, "") // Anna speaks through it
	f.send(http.MethodDelete, "/v1/agents/"+anna, "", "").is(http.StatusNoContent)
	f.send(http.MethodDelete, at, "", "").is(http.StatusNoContent)
	f.get(at).problem(http.StatusNotFound, "")
}

func TestWhatThisBuildCanDo(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	require.Len(t, f.get("/v1/channels").is(http.StatusOK).at("items"), 9)
	require.Equal(t, "outbox", f.get("/v1/providers").is(http.StatusOK).text("items.0.provider"))
	require.NotEmpty(t, f.get("/v1/agent_kinds").is(http.StatusOK).at("items"))
}

func TestSettings(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	require.InDelta(t, 0, f.get("/v1/settings").is(http.StatusOK).at("max_per_day"), 0)
	f.put("/v1/settings", `{"max_per_day":2,"min_gap":"4h","redirect":{"email":"test@example.com"},"default_hours":{"*":{"mon":[["09:00","17:00"]]}}}`).is(http.StatusOK)
	read := f.get("/v1/settings").is(http.StatusOK)
	require.Equal(t, "4h", read.text("min_gap"))
	require.Equal(t, "test@example.com", read.text("redirect.email"))
	for body, field := range map[string]string{
		`{"redirect":{"email":"nonsense"}}`:                        "redirect.email",
		`{"redirect":{"pigeon":"x"}}`:                              "redirect.pigeon",
		`{"max_per_day":5,"max_per_week":2}`:                       "max_per_week",
		`{"default_hours":{"*":{"funday":[["09:00","17:00"]]}}}`:   "default_hours.*.funday",
		`{"default_hours":{"pigeon":{"mon":[["09:00","17:00"]]}}}`: "default_hours.pigeon",
		`{"min_gap":"soon"}`:                                       "min_gap",
		`{"colour":"red"}`:                                         "colour",
	} {
		f.put("/v1/settings", body).problem(http.StatusUnprocessableEntity, field)
	}
}

func TestSuppressionsAndErasure(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	one, two := f.addContact(c, "one"), f.addContact(c, "two")
	added := f.post("/v1/suppressions", `{"external_id":"p-one","channel":"email"}`).is(http.StatusCreated)
	require.Equal(t, "do_not_contact", added.text("reason"))
	f.post("/v1/suppressions", `{}`).problem(http.StatusUnprocessableEntity, "external_id")
	f.post("/v1/suppressions", `{"external_id":"x","channel":"none"}`).problem(http.StatusUnprocessableEntity, "channel")
	require.Len(t, f.get("/v1/suppressions").is(http.StatusOK).at("items"), 1)
	f.send(http.MethodDelete, "/v1/suppressions/"+added.text("id"), "", "").is(http.StatusNoContent)
	require.Empty(t, f.get("/v1/suppressions").is(http.StatusOK).at("items"))

	kept := f.post("/v1/erasures", `{"external_id":"p-two"}`).is(http.StatusOK)
	require.InDelta(t, 1, kept.at("remaining"), 0)
	require.Equal(t, two.Name, f.get(contactPath(two)).text("name"))
	f.post(contactPath(one)+"/stop", "").is(http.StatusOK)
	require.InDelta(t, 1, f.post("/v1/erasures", `{"external_id":"p-one"}`).is(http.StatusOK).at("erased"), 0)
	require.NotContains(t, f.get(contactPath(one)).is(http.StatusOK).raw, one.Email)
}
