package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// anna asks for a day to pay on.
const anna = `{"name":"Anna","kind":"scripted","result_fields":[{"name":"day","type":"date"}],"states":[
	{"name":"ask","start":true,"say":"Dear {{ name }}, can you pay {{ parameters.amount }}?","replies":[
		{"match":["yes"],"say":"On which day?","state":"day"},
		{"match":["why"],"say":"Your contract is {{ object_id }} of {{ campaign.name }}."}]},
	{"name":"day","replies":[
		{"match":["/on (\\S+)/"],"say":"Noted: {{ results.day }}.","results":{"day":"$1"},"end":"completed","reason":"promised"},
		{"say":"Which day, {{ parameters.nick }}?"}]},
	{"name":"*","replies":[{"match":["person"],"say":"One moment.","hand_off":true}]}]}`

func TestTryAgent(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	at := "/v1/agents/" + f.post("/v1/agents", anna).is(http.StatusCreated).text("id")
	contact := `"contact":{"name":"Ann & Co","object_id":"C-1","parameters":{"amount":120}}`

	opening := f.post(at+"/try", `{`+contact+`}`).is(http.StatusOK)
	require.Equal(t, "Dear Ann & Co, can you pay 120?", opening.text("content"), "not escaped")
	require.Equal(t, "ask", opening.text("state"))
	yes := f.post(at+"/try", `{"content":"YES!","state":"ask"}`).is(http.StatusOK)
	require.Equal(t, "On which day?", yes.text("content"))
	require.Equal(t, "day", yes.text("state"))
	promised := f.post(at+"/try", `{"start_state":"day","messages":[{"author":"agent","content":"On which day?"},{"author":"contact","content":"on 24.12.2026"}]}`).is(http.StatusOK)
	require.Equal(t, "Noted: 2026-12-24.", promised.text("content"))
	require.Equal(t, map[string]any{"day": "2026-12-24"}, promised.at("results"))
	require.Equal(t, "completed", promised.text("end"))
	require.Equal(t, "promised", promised.text("reason"))
	require.Equal(t, true, f.post(at+"/try", `{"content":"a person, please"}`).is(http.StatusOK).at("hand_off"))

	c := f.addCampaign(campaign.Draft)
	stored := f.addContact(c, "77")
	why := f.post(at+"/try", `{"content":"Why?","campaign_id":"`+c.ID+`","contact_id":"`+stored.ID+`"}`).is(http.StatusOK)
	require.Equal(t, "Your contract is 77 of Debt.", why.text("content"))

	lost := f.post(at+"/try", `{"content":"x","state":"nowhere"}`).is(http.StatusOK)
	require.Equal(t, `the agent Anna has no state "nowhere"; it has ask, day`, lost.text("error.message"))
	require.Equal(t, true, lost.at("error.permanent"))
	require.Contains(t, f.post(at+"/try", `{"content":"x","state":"day"}`).is(http.StatusOK).text("error.message"), "the contact has no parameters.nick")

	f.post(at+"/try", `{"content":"x","contact_id":"ct_1"}`).problem(http.StatusUnprocessableEntity, "campaign_id")
	f.post(at+"/try", `{"content":"x","contact":{"name":1}}`).problem(http.StatusUnprocessableEntity, "contact")
	f.post(at+"/try", `{"content":"x","campaign_id":"cp_none"}`).problem(http.StatusNotFound, "")
	other := f.post("/v1/agents", `{"name":"Otto","kind":"external"}`).is(http.StatusCreated).text("id")
	refused := f.post("/v1/agents/"+other+"/try", `{"content":"x"}`)
	refused.problem(http.StatusConflict, "")
	require.Contains(t, refused.text("detail"), "answers by itself")
	require.Empty(t, f.get("/v1/outbox").is(http.StatusOK).at("items"))
	require.Empty(t, f.get("/v1/sessions").is(http.StatusOK).at("items"))
}

func TestABrokenScriptIsRefusedWhereverItIs(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	at := "/v1/agents/" + f.post("/v1/agents", anna).is(http.StatusCreated).text("id")
	f.post(at+"/start", "").is(http.StatusOK)
	broken := f.put(at, strings.NewReplacer(`["yes"]`, `["/(/"]`, `"state":"day"`, `"state":"month"`, `{{ name }}`, `{{ name`).Replace(anna))
	broken.is(http.StatusUnprocessableEntity)
	var fields []any
	for _, e := range broken.at("errors").([]any) {
		fields = append(fields, e.(map[string]any)["field"])
	}
	require.Equal(t, []any{"states[0].say", "states[0].replies[0].state", "states[0].replies[0].match[0]"}, fields, "all at once")
	read := f.get(at).is(http.StatusOK)
	require.Equal(t, "running", read.text("status"))
	require.Equal(t, "yes", read.text("states.0.replies.0.match.0"), "it runs on as it was")
}

func TestAStateThatSessionsAreInIsNotTakenAway(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	id := f.post("/v1/agents", anna).is(http.StatusCreated).text("id")
	at := "/v1/agents/" + id
	f.addSession(f.addContact(f.addCampaign(campaign.Draft), "one"), func(s *campaign.Session) { s.AgentID, s.State = id, "day" })
	renamed := strings.NewReplacer(`"state":"day"`, `"state":"date"`, `"name":"day","replies"`, `"name":"date","replies"`).Replace(anna)
	refused := f.put(at, renamed)
	refused.problem(http.StatusConflict, "")
	require.Contains(t, refused.text("detail"), `states that the agent would no longer have: "day" (1); keep these states`)
	require.Equal(t, "day", f.get(at).is(http.StatusOK).text("states.1.name"), "it goes on as it was")
	_, err := f.store.CloseSession(t.Context(), f.get("/v1/sessions?agent_id="+id).text("items.0.id"), campaign.SessionCompleted, nil, "", time.Now())
	require.NoError(t, err)
	require.Equal(t, "date", f.put(at, renamed).is(http.StatusOK).text("states.1.name"))
}

func TestPreflightKnowsTheStatesOfAScript(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	id := f.post("/v1/agents", anna).is(http.StatusCreated).text("id")
	c := f.addCampaign(campaign.Draft)
	codes := func(state string) map[string]string {
		_, err := f.store.UpdateStage(t.Context(), c.ID, "st_"+c.ID+"_Chat", func(s *campaign.Stage) error {
			s.Delivery.Agent, s.Delivery.StartState = id, state
			return nil
		})
		require.NoError(t, err)
		out := map[string]string{}
		for _, p := range f.get("/v1/campaigns/" + c.ID + "/preflight").is(http.StatusOK).at("problems").([]any) {
			p := p.(map[string]any)
			out[p["code"].(string)] = p["severity"].(string) + ": " + p["message"].(string)
		}
		return out
	}
	require.NotContains(t, codes("day"), "unknown_start_state")
	require.NotContains(t, codes(""), "unknown_start_state")
	require.Equal(t, `error: the agent "Anna" has no state "nowhere"; it has ask, day`, codes("nowhere")["unknown_start_state"])
	require.Contains(t, codes("*"), "unknown_start_state", "the state * is no place")

	for i, state := range []string{"ask", "", "moon", "moon"} {
		f.addContact(c, fmt.Sprint("planned", i), func(v *campaign.Contact) {
			m := &v.Communications[0]
			m.StageName, m.StageID, m.StartState = "Chat", "st_"+c.ID+"_Chat", state
		})
	}
	require.Equal(t, `warning: 2 planned communications begin in the state "moon", which the agent "Anna" does not have; it has ask, day`,
		codes("day")["unknown_start_state"])
}

func TestNotes(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	at := "/v1/sessions/" + f.addSession(f.addContact(c, "one"))
	require.Empty(t, f.get(at).is(http.StatusOK).at("notes"))
	added := f.post(at+"/notes", `{"content":"Prefers the evening."}`).is(http.StatusCreated)
	f.post(at+"/notes", `{"content":" "}`).problem(http.StatusUnprocessableEntity, "content")
	f.post("/v1/sessions/ss_none/notes", `{"content":"x"}`).problem(http.StatusNotFound, "")
	read := f.get(at).is(http.StatusOK)
	require.Equal(t, "Prefers the evening.", read.text("notes.0.content"))
	require.NotEmpty(t, read.text("notes.0.author"))
	require.Equal(t, added.text("id"), read.text("notes.0.id"))
	require.Empty(t, read.at("messages"), "nothing is sent")
	require.Empty(t, f.untaken())
}
