package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
)

// operator is somebody with a key of their own.
type operator struct {
	*front
	key string
}

func (o operator) call(method, path, body string) reply {
	o.t.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	return o.send(method, path, contentType, body, "Authorization", "Bearer "+o.key)
}

func (o operator) post(path, body string) reply {
	o.t.Helper()
	return o.call(http.MethodPost, path, body)
}
func (o operator) get(path string) reply { o.t.Helper(); return o.call(http.MethodGet, path, "") }

// office is the API with an admin, and operators by name.
func office(t *testing.T, mode string, names ...string) (operator, []operator) {
	t.Helper()
	f := newFront(t, frontStore(t), func(d *api.Deps) { d.AdminKey, d.Mode = adminKey, mode })
	admin := operator{f, adminKey}
	var all []operator
	for _, name := range names {
		all = append(all, operator{f, admin.post("/v1/keys", `{"name":"`+name+`","role":"operator"}`).is(http.StatusCreated).text("key")})
	}
	return admin, all
}

func inHumanHands(s *campaign.Session) { s.Mode = campaign.ModeHuman }

func TestOneOfTwoOperatorsHasASession(t *testing.T) {
	t.Parallel()
	admin, people := office(t, "", "bob", "bob")
	bob, eve := people[0], people[1] // of the same name
	c := admin.addCampaign(campaign.Draft)
	at := "/v1/sessions/" + admin.addSession(admin.addContact(c, "one"), inHumanHands, func(s *campaign.Session) { s.AgentID = admin.addAgent(campaign.AgentExternal) })

	var wg sync.WaitGroup
	statuses := make([]int, 2)
	for i, o := range people {
		wg.Go(func() { statuses[i] = o.post(at+"/claim", "").status })
	}
	wg.Wait()
	require.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict}, statuses)
	if statuses[0] == http.StatusConflict {
		bob, eve = eve, bob
	}
	refused := eve.post(at+"/claim", "").is(http.StatusConflict)
	require.Contains(t, refused.text("detail"), " handles the session until 20")
	for _, path := range []string{"/reply", "/resolve", "/hand_back", "/unclaim"} {
		body := ""
		if path == "/reply" {
			body = `{"content":"x"}`
		}
		eve.post(at+path, body).problem(http.StatusConflict, "")
	}
	eve.post(at+"/claim", `{"take_over":true}`).problem(http.StatusForbidden, "")
	eve.post(at+"/notes", `{"content":"I know him."}`).is(http.StatusCreated)

	require.Len(t, bob.get("/v1/inbox?state=mine").is(http.StatusOK).at("items"), 1)
	require.Empty(t, eve.get("/v1/inbox?state=mine").is(http.StatusOK).at("items"))
	require.Len(t, eve.get("/v1/inbox?state=claimed&campaign_id="+c.ID+"&stage=Chat&channel=email").is(http.StatusOK).at("items"), 1)
	require.Empty(t, eve.get("/v1/inbox?state=open").is(http.StatusOK).at("items"))
	require.Empty(t, eve.get("/v1/inbox?stage=Elsewhere").is(http.StatusOK).at("items"))
	eve.get("/v1/inbox?state=nobody's").problem(http.StatusUnprocessableEntity, "query.state")

	bob.post(at+"/claim", "").is(http.StatusOK)
	require.Equal(t, "admin", admin.post(at+"/claim", `{"take_over":true}`).is(http.StatusOK).text("claimed_by"))
	bob.post(at+"/reply", `{"content":"x"}`).problem(http.StatusConflict, "")
	bob.post(at+"/unclaim", "").problem(http.StatusConflict, "")
	require.Empty(t, admin.post(at+"/unclaim", "").is(http.StatusOK).text("claimed_by"))
	admin.post(at+"/unclaim", "").problem(http.StatusConflict, "")
	require.Len(t, eve.get("/v1/inbox?state=open").is(http.StatusOK).at("items"), 1)
	eve.post(at+"/reply", `{"content":"It is Eve."}`).is(http.StatusAccepted)
	require.Len(t, eve.get("/v1/inbox?state=mine").at("items"), 1, "who replies handles it")

	var actions []string
	for _, e := range admin.untaken() {
		if e.Kind == "person" {
			_, rest, _ := strings.Cut(string(e.Payload), `"action":"`)
			action, _, _ := strings.Cut(rest, `"`)
			actions = append(actions, action)
		}
	}
	require.Equal(t, []string{"claim", "take_over", "unclaim"}, actions, "a claim that is renewed is no news")
}

func TestAClaimRunsOut(t *testing.T) {
	t.Parallel()
	admin, people := office(t, "", "bob", "eve")
	ran := time.Now().Add(-time.Second)
	at := "/v1/sessions/" + admin.addSession(admin.addContact(admin.addCampaign(campaign.Draft), "one"), inHumanHands, func(s *campaign.Session) {
		s.Claim("key bob", "ky_bob", ran)
	})
	lies := people[1].get("/v1/inbox?state=open").is(http.StatusOK)
	require.Len(t, lies.at("items"), 1)
	for _, r := range []reply{lies, people[1].get(at).is(http.StatusOK)} {
		require.NotContains(t, r.raw, "claimed_", "nobody handles it any more")
	}
	require.Empty(t, people[0].get("/v1/inbox?state=mine").is(http.StatusOK).at("items"))
	require.Equal(t, "key eve", people[1].post(at+"/claim", "").is(http.StatusOK).text("claimed_by"))
}

func TestASessionTellsWhoTakesItWhatItIsAbout(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	agent := f.addAgent(campaign.AgentExternal)
	_, err := f.store.UpdateAgent(t.Context(), agent, func(a *campaign.Agent) error {
		a.ResultFields = []campaign.ResultField{{Name: "promised", Type: "date"}, {Name: "mood", Type: "integer"}}
		return nil
	})
	require.NoError(t, err)
	stage := f.get("/v1/campaigns/" + c.ID + "/stages/st_" + c.ID + "_Chat").is(http.StatusOK)
	f.put("/v1/campaigns/"+c.ID+"/stages/"+stage.text("id"), `{"name":"Chat","description":"Ask for a promise.","delivery":{"channel":"email","agent":"`+agent+
		`","subject":"Hello","template":"Hello"},"result_fields":[{"name":"mood","type":"enum","values":["good","bad"]},{"name":"mood"}]}`).
		problem(http.StatusUnprocessableEntity, "result_fields[1].name")
	f.put("/v1/campaigns/"+c.ID+"/stages/"+stage.text("id"), `{"name":"Chat","description":"Ask for a promise.","delivery":{"channel":"email","agent":"`+agent+
		`","subject":"Hello","template":"Hello"},"result_fields":[{"name":"mood","type":"enum","values":["good","bad"]}]}`).is(http.StatusOK)
	_, err = f.store.UpdateStage(t.Context(), c.ID, stage.text("id"), func(s *campaign.Stage) error { s.Name = "Talk"; return nil })
	require.NoError(t, err)
	at := "/v1/sessions/" + f.addSession(f.addContact(c, "one"), inHumanHands, func(s *campaign.Session) {
		s.AgentID, s.Timeout = agent, campaign.Duration(time.Hour)
	})
	require.Len(t, f.get("/v1/inbox?stage=Talk&campaign_id="+c.ID).is(http.StatusOK).at("items"), 1, "of the stage, as it is called now")
	detail := f.get(at).is(http.StatusOK)
	require.Equal(t, "Ask for a promise.", detail.text("task"))
	require.Equal(t, "Ada one", detail.text("contact.name"))
	require.Equal(t, "p-one", detail.text("contact.external_id"))
	require.Equal(t, "mood enum promised date", strings.Join([]string{
		detail.text("result_fields.0.name"), detail.text("result_fields.0.type"), detail.text("result_fields.1.name"), detail.text("result_fields.1.type"),
	}, " "), "where both declare one, the stage's counts")
	require.NotEmpty(t, detail.text("due_at"))

	f.post(at+"/resolve", `{"results":{"promised":"soon"}}`).problem(http.StatusUnprocessableEntity, "results.promised")
	f.post(at+"/resolve", `{"results":{"mood":7}}`).problem(http.StatusUnprocessableEntity, "results.mood")
	f.post(at+"/resolve", `{"results":{"promise":"2026-12-24"}}`).problem(http.StatusUnprocessableEntity, "results.promise")
	require.Empty(t, f.get(at).text("claimed_by"), "what is refused changes nothing")
	f.post(at+"/results", `{"status":"completed"}`).problem(http.StatusConflict, "")
	f.post(at+"/resolve", `{"results":{"promised":"2026-12-24","mood":"good","OutcomeStatus":"PROMISE"}}`).is(http.StatusAccepted)
}

func TestAReplyOutsideWhatsAppsWindowIsRefused(t *testing.T) {
	t.Parallel()
	admin, people := office(t, api.ModeLive, "bob")
	bob := people[0]
	c := admin.addCampaign(campaign.Draft)
	for name, age := range map[string]time.Duration{"never": 0, "yesterday": 25 * time.Hour, "today": time.Hour} {
		id := admin.addSession(admin.addContact(c, name), inHumanHands, func(s *campaign.Session) { s.Channel = campaign.WhatsAppMeta })
		if age > 0 {
			require.NoError(t, admin.store.AddMessage(t.Context(), campaign.Message{
				ID: "m-" + name, SessionID: id, Author: campaign.AuthorContact, Content: "Hello", At: time.Now().Add(-age),
			}))
		}
		out := bob.post("/v1/sessions/"+id+"/reply", `{"content":"x"}`)
		if name == "today" {
			out.is(http.StatusAccepted)
			continue
		}
		want := map[string]string{"never": "and the contact has not written yet: ", "yesterday": "and the contact wrote last at 20"}[name]
		require.Contains(t, out.is(http.StatusConflict).text("detail"), "within 24 hours of the contact's last message, "+want)
		require.Empty(t, bob.get("/v1/sessions/"+id).text("claimed_by"))
	}
}
