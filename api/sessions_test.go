package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// addSession opens a session of a contact's first communication.
func (f *front) addSession(c campaign.Contact, tune ...func(*campaign.Session)) string {
	f.t.Helper()
	s := campaign.Session{
		ID: campaign.SessionID(c.ID + "-1"), CampaignID: c.CampaignID, ContactID: c.ID, CommunicationID: c.ID + "-1", StageName: "Chat",
		Channel: campaign.Email, Mode: campaign.ModeAI, Status: campaign.SessionOpen, CreatedAt: time.Now().UTC(),
	}
	for _, f := range tune {
		f(&s)
	}
	require.NoError(f.t, f.store.OpenSession(f.t.Context(), s))
	return s.ID
}

func (f *front) addAgent(kind campaign.AgentKind) string {
	f.t.Helper()
	a := campaign.Agent{ID: "ag_" + string(kind), Name: "Anna " + string(kind), Kind: kind, Status: campaign.AgentRunning}
	require.NoError(f.t, f.store.CreateAgent(f.t.Context(), a))
	return a.ID
}

func (f *front) untaken() []store.InboxEvent {
	f.t.Helper()
	events, err := f.store.UntakenEvents(f.t.Context(), time.Now().Add(time.Hour), 100)
	require.NoError(f.t, err)
	return events
}

func TestSessionTakesMessagesAnswersAndOneResult(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	agent := f.addAgent(campaign.AgentExternal)
	id := f.addSession(f.addContact(c, "one"), func(s *campaign.Session) { s.AgentID = agent })
	at := "/v1/sessions/" + id

	f.post(at+"/messages", `{"content":"Who is this?"}`).is(http.StatusAccepted)
	f.post(at+"/answers", `{"content":"It is Anna.","state":"greeted"}`).is(http.StatusAccepted)
	read := f.get(at).is(http.StatusOK)
	require.Equal(t, "greeted", read.text("state"))
	require.Len(t, read.at("messages"), 2)
	require.Equal(t, "pending", read.text("messages.1.delivery"))
	f.post(at+"/messages", `{"content":""}`).problem(http.StatusUnprocessableEntity, "content")
	f.post(at+"/messages", `{"content":" \n\t"}`).problem(http.StatusUnprocessableEntity, "content")
	f.post(at+"/answers", `{"content":"\u00a0"}`).problem(http.StatusUnprocessableEntity, "content")

	f.post(at+"/results", `{"status":"happy"}`).problem(http.StatusUnprocessableEntity, "status")
	f.post(at+"/results", `{"results":{"x":"`+strings.Repeat("x", 20_000)+`"}}`).problem(http.StatusUnprocessableEntity, "results")
	f.post(at+"/results", `{"status":"completed","results":{"paid":true}}`).is(http.StatusAccepted)
	f.post(at+"/results", `{"status":"completed"}`).problem(http.StatusConflict, "")

	kinds := []string{}
	for _, e := range f.untaken() {
		kinds = append(kinds, e.Kind)
		require.Equal(t, c.ID, e.CampaignID)
	}
	require.Equal(t, []string{"message", "answer", "result"}, kinds)

	_, err := f.store.CloseSession(t.Context(), id, campaign.SessionCompleted, nil, "", time.Now())
	require.NoError(t, err)
	f.post(at+"/answers", `{"content":"One more thing"}`).problem(http.StatusConflict, "")
	f.post(at+"/messages", `{"content":"Too late?"}`).is(http.StatusAccepted)
	f.post("/v1/sessions/ss_none/messages", `{"content":"x"}`).problem(http.StatusNotFound, "")
	require.Len(t, f.get("/v1/sessions?campaign_id="+c.ID+"&status=completed&outcome=COMPLETED").is(http.StatusOK).at("items"), 1)
	require.Empty(t, f.get("/v1/sessions?status=open").is(http.StatusOK).at("items"))
	require.Contains(t, f.get("/v1/sessions/export?format=ndjson").is(http.StatusOK).raw, "Who is this?")
	require.Equal(t, 2, strings.Count(f.get("/v1/sessions/export").is(http.StatusOK).raw, "\n"))
}

func TestAnAgentsAnswerNamesAStateThereIs(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	for _, kind := range []campaign.AgentKind{campaign.AgentExternal, campaign.AgentWebhook} {
		agent := f.addAgent(kind)
		_, err := f.store.UpdateAgent(t.Context(), agent, func(a *campaign.Agent) error {
			a.States = []campaign.AgentState{{Name: "ask", Start: true}, {Name: "agree"}}
			return nil
		})
		require.NoError(t, err)
		at := "/v1/sessions/" + f.addSession(f.addContact(c, string(kind)), func(s *campaign.Session) { s.AgentID = agent })
		out := f.post(at+"/answers", `{"content":"x","state":"nowhere"}`)
		out.problem(http.StatusUnprocessableEntity, "state")
		require.Contains(t, out.text("errors.0.message"), `has no state "nowhere"; it has ask, agree`)
		require.Empty(t, f.get(at).is(http.StatusOK).at("messages"), "nothing was kept")
		f.post(at+"/answers", `{"content":"x","state":"agree"}`).is(http.StatusAccepted)
		f.post(at+"/answers", `{"content":"y"}`).is(http.StatusAccepted)
		require.Equal(t, "agree", f.get(at).text("state"))
	}
}

func TestResultsOfAnAgentAreCheckedAsAPersonsAre(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	agent := f.addAgent(campaign.AgentWebhook)
	_, err := f.store.UpdateAgent(t.Context(), agent, func(a *campaign.Agent) error {
		a.ResultFields = []campaign.ResultField{{Name: "mood", Type: "enum", Values: []string{"good", "bad"}}}
		return nil
	})
	require.NoError(t, err)
	at := "/v1/sessions/" + f.addSession(f.addContact(c, "one"), func(s *campaign.Session) { s.AgentID = agent })
	undeclared := f.post(at+"/results", `{"status":"completed","results":{"undeclared":1}}`)
	undeclared.problem(http.StatusUnprocessableEntity, "results.undeclared")
	require.Equal(t, "no such result is declared; there are OutcomeStatus, mood", undeclared.text("errors.0.message"))
	unfit := f.post(at+"/results", `{"status":"completed","results":{"mood":"so so"}}`)
	unfit.problem(http.StatusUnprocessableEntity, "results.mood")
	require.Contains(t, unfit.text("errors.0.message"), "is not one of good, bad")
	require.Empty(t, f.untaken(), "what is refused changes nothing")
	f.post(at+"/results", `{"results":{"mood":"good","OutcomeStatus":"PROMISE"}}`).is(http.StatusAccepted)
}

func TestAPersonTakesASessionOver(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	agent := f.addAgent(campaign.AgentExternal)
	at := "/v1/sessions/" + f.addSession(f.addContact(c, "one"), func(s *campaign.Session) { s.AgentID = agent })
	f.post(at+"/reply", `{"content":"x"}`).problem(http.StatusConflict, "")
	f.post(at+"/claim", "").problem(http.StatusConflict, "")
	require.Empty(t, f.get("/v1/inbox").is(http.StatusOK).at("items"))

	require.Equal(t, "human", f.post(at+"/handoff", "").is(http.StatusOK).text("mode"))
	f.post(at+"/handoff", "").problem(http.StatusConflict, "")
	require.Len(t, f.get("/v1/inbox").is(http.StatusOK).at("items"), 1)
	require.Equal(t, "local", f.post(at+"/claim", "").is(http.StatusOK).text("claimed_by"))
	f.post(at+"/claim", "").is(http.StatusOK)
	f.post(at+"/answers", `{"content":"x"}`).problem(http.StatusConflict, "")
	f.post(at+"/reply", `{"content":"This is Bob."}`).is(http.StatusAccepted)
	require.Equal(t, "operator", f.get(at).text("messages.0.author"))
	f.post(at+"/reply", `{"content":"  "}`).problem(http.StatusUnprocessableEntity, "content")
	back := f.post(at+"/hand_back", "").is(http.StatusOK)
	require.Equal(t, "the session is with its agent already", f.post(at+"/hand_back", "").is(http.StatusConflict).text("detail"))
	require.Equal(t, "ai", back.text("mode"))
	require.Empty(t, back.text("state"))
	f.post(at+"/resolve", "").problem(http.StatusConflict, "")
	f.post(at+"/handoff", "").is(http.StatusOK)
	f.post(at+"/resolve", "").is(http.StatusAccepted)
	kinds := []string{}
	for _, e := range f.untaken() {
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, []string{"person", "person", "answer", "person", "person", "result"}, kinds, "handoff, claim, reply, hand_back, handoff, resolve")
	require.Contains(t, string(f.untaken()[5].Payload), `"resolved_by_operator"`)

	task := "/v1/sessions/" + f.addSession(f.addContact(c, "two"), func(s *campaign.Session) { s.Channel, s.Mode = campaign.Human, campaign.ModeHuman })
	f.post(task+"/reply", `{"content":"x"}`).problem(http.StatusConflict, "")
	f.post(task+"/hand_back", "").problem(http.StatusConflict, "")
	f.post(task+"/resolve", `{"status":"transferred","results":{"note":"called"}}`).is(http.StatusAccepted)
}

func TestOutboxAnswersAsTheContact(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	one := f.addContact(c, "one")
	session := f.addSession(one)
	for i, sessionID := range []string{session, ""} {
		_, err := f.store.PutOutbox(t.Context(), store.OutboxMessage{
			ID: []string{"ob_chat", "ob_notice"}[i], At: time.Now().UTC(), Channel: campaign.Email, To: "one@example.com", Body: "Hello", CampaignID: c.ID,
			ContactID: one.ID, CommunicationID: one.ID + "-1", SessionID: sessionID, CorrelationKey: "key-" + sessionID, Status: "sent", Payload: []byte(`{}`),
		})
		require.NoError(t, err)
	}
	_, _, err := f.store.ClaimSend(t.Context(), store.Send{
		ID: one.ID + "-1", ContactID: one.ID, CampaignID: c.ID, CommunicationID: one.ID + "-1", Channel: campaign.Email, CorrelationKey: "key-", CreatedAt: time.Now(),
	}, nil, nil)
	require.NoError(t, err)
	require.Len(t, f.get("/v1/outbox?contact_id="+one.ID).is(http.StatusOK).at("items"), 2)
	f.post("/v1/outbox/ob_chat/reply", `{"content":" "}`).problem(http.StatusUnprocessableEntity, "content")
	f.post("/v1/outbox/ob_chat/reply", `{"content":"Yes?"}`).is(http.StatusAccepted)
	f.post("/v1/outbox/ob_notice/reply", `{"content":"No."}`).is(http.StatusAccepted)
	require.Equal(t, "Yes?", f.get("/v1/sessions/"+session).text("messages.0.content"))
	f.post("/v1/outbox/ob_notice/status", `{"status":"lost"}`).problem(http.StatusUnprocessableEntity, "status")
	f.post("/v1/outbox/ob_notice/status", `{"status":"bounced"}`).is(http.StatusAccepted)
	require.Equal(t, "bounced", f.get("/v1/outbox/ob_notice").is(http.StatusOK).text("status"))
	events := f.untaken()
	require.Len(t, events, 3)
	require.Contains(t, string(events[1].Payload), `"content":"No."`)
	require.Contains(t, string(events[2].Payload), `"delivery":"bounced"`)
	f.post("/v1/outbox/ob_none/reply", `{"content":"x"}`).problem(http.StatusNotFound, "")
}

func TestAnswersOfAgentsThatSpeakByThemselves(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	for kind, want := range map[campaign.AgentKind]int{
		campaign.AgentExternal: http.StatusAccepted, campaign.AgentWebhook: http.StatusAccepted, // it said 202 in its turn
		campaign.AgentScripted: http.StatusConflict, campaign.AgentOpenAI: http.StatusConflict,
	} {
		agent := f.addAgent(kind)
		at := "/v1/sessions/" + f.addSession(f.addContact(c, string(kind)), func(s *campaign.Session) { s.AgentID = agent })
		f.post(at+"/answers", `{"content":"It is Anna."}`).is(want)
		f.post(at+"/results", `{"status":"completed"}`).is(want)
	}
}
