package e2e_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"carillon/agents/webhooktest"
	"carillon/channels/fault"
	"carillon/workflows"
)

// TestRecordHistories writes the goldens that workflows/replay_test.go replays
// in every test run. It runs only by `make histories`; what it has written is
// kept for ever, so a scenario that exists is not overwritten: give a changed
// workflow a new name here.
func TestRecordHistories(t *testing.T) {
	if os.Getenv("CARILLON_RECORD") == "" {
		t.Skip("recorded by make histories")
	}
	scenarios := map[string]func(*recorder){
		"happy": happy, "reply": reply, "late-reply": lateReply, "refused-and-retried": refused, "paused-and-resumed": paused,
		"stopped": stopped, "reimport-of-completed": reimport, "strategy-error-and-retry": strategyError, "slow-strategy": slowStrategy,
		"agent-busy": agentBusy, "agent-turns": agentTurns, "agent-stopped": agentStopped, "changes-hands": changesHands,
		"taken-over-in-turn": takenOver, "decided-at-once": decided,
	}
	r := newRecorder(t, dev(t, private), "")
	for name, play := range scenarios {
		t.Run(name, func(t *testing.T) {
			r.t, r.carillon.t, r.name = t, t, name
			play(r)
		})
	}
	m := newRecorder(t, live(t, "live"), "")
	mail := m.mail("Ann: Notice", "Bob: Notice", "Cid: Notice")
	for name, play := range map[string]func(*mailScene) string{
		"refused-fell-back": func(s *mailScene) string { return s.fallsBack("Ann") }, "unknown-sent-again": func(s *mailScene) string { return s.sentAgain("Bob") },
		"integration-mended": func(s *mailScene) string { return s.mended("Cid") },
	} {
		t.Run(name, func(t *testing.T) {
			m.t, m.carillon.t, m.name = t, t, name
			one := mail.inTest(t)
			m.keepContact(one.scene, play(one), "")
		})
	}
	chat := m.linkScene("webhook", "Ann: Mail+Talk")
	t.Run("chat-linked", func(t *testing.T) {
		m.t, m.carillon.t, m.name, chat.scene = t, t, "chat-linked", chat.in(t)
		m.keepContact(chat.scene, chat.opened("Ann", 77001), "")
	})
	t.Run("answers-in-order", func(t *testing.T) {
		m.t, m.carillon.t, m.name = t, t, "answers-in-order"
		inOrder(m)
	})
	t.Run("answers-before-a-person", func(t *testing.T) {
		m.t, m.carillon.t, m.name = t, t, "answers-before-a-person"
		unheard(m)
	})
	t.Run("continue-as-new", func(t *testing.T) { continueAsNew(t) })
}

// recorder plays scenarios and keeps the histories.
type recorder struct {
	*carillon
	t        *testing.T
	name     string
	temporal client.Client
}

func newRecorder(t *testing.T, c *carillon, name string) *recorder {
	t.Helper()
	tc, err := client.Dial(client.Options{HostPort: c.ready["temporal"].(string)})
	require.NoError(t, err)
	t.Cleanup(tc.Close)
	return &recorder{carillon: c, t: t, name: name, temporal: tc}
}

// keep writes one run's history as gzipped JSON.
func (r *recorder) keep(workflowID, runID, suffix string) {
	r.t.Helper()
	path := filepath.Join("..", "workflows", "testdata", "replay", r.name+suffix+".json.gz")
	if _, err := os.Stat(path); err == nil {
		r.t.Logf("%s is kept as it is", path)
		return
	}
	var h historypb.History
	for it := r.temporal.GetWorkflowHistory(r.t.Context(), workflowID, runID, false, 0); it.HasNext(); {
		e, err := it.Next()
		require.NoError(r.t, err)
		h.Events = append(h.Events, e)
	}
	raw, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&h)
	require.NoError(r.t, err)
	raw = regexp.MustCompile(`"identity": *"[^"]*"`).ReplaceAll(raw, []byte(`"identity": "carillon"`))
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	require.NoError(r.t, err)
	_, err = z.Write(raw)
	require.NoError(r.t, err)
	require.NoError(r.t, z.Close())
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(r.t, os.WriteFile(path, b.Bytes(), 0o644))
	r.t.Logf("%s: %d events", path, len(h.Events))
}

func (r *recorder) keepContact(s *scene, contactID, suffix string) {
	r.keep(workflows.ContactWorkflowID(s.id, contactID), "", suffix)
}

const oneContact = "object_id,external_id,name,email,phone\nO,E,Ann,ann@example.com,+14155550123\n"

// talk is a campaign of one conversation; its aggregation goes by OutcomeStatus.
func (r *recorder) talk(more ...doc) *scene {
	s := r.campaign(doc{"name": r.name})
	agent := r.agent(r.name, more...)
	s.stage("Talk", doc{"channel": "email", "agent": agent, "subject": "Hello", "template": "{{ name }}"}, doc{"session_timeout": "30s"})
	s.stage("Later", doc{"channel": "email_notification", "integration": "outbox", "subject": "Later", "template": "Later"})
	s.stage("End", doc{"channel": "none", "start_state": "end"}, doc{"outcome": "success"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    if existing_contact is None:
        contact.communications.append(Communication(name="Talk", stage_name="Talk", start_date=datetime.now() + timedelta(seconds=2)))
    elif contact.parameters.get("again"):
        contact.communications.append(Communication(name="Again", stage_name="Later"))
    return contact
`)
	s.strategy("aggregation", `
async def run(contact, session_results, logger, **kwargs):
    if session_results["OutcomeStatus"] == "LATER":
        contact.communications.append(Communication(name="Later", stage_name="Later", start_date=datetime.now() + timedelta(hours=1)))
    else:
        contact.current_stage = "End"
    return contact
`)
	s.strategy("agent_answer", `
async def on_agent_answer(contact, message, **kwargs):
    contact.internal_data["answers"] = contact.internal_data.get("answers", 0) + 1
    return contact
`)
	return s
}

func (r *recorder) begin(s *scene) string {
	s.upload("text/csv", []byte(oneContact))
	s.start()
	return s.contact("O")["id"].(string)
}

func (s *scene) result(session, outcome string) {
	s.t.Helper()
	s.must(http.MethodPost, "/v1/sessions/"+session+"/results", doc{"results": doc{"OutcomeStatus": outcome}})
}

func happy(r *recorder) {
	s := r.talk()
	id := r.begin(s)
	s.result(s.session(id), "DONE")
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
	imports := s.list(s.path("/imports"))
	r.keep(workflows.ImportWorkflowID(imports[0]["id"].(string)), "", "-import")
	r.keep(workflows.LaunchWorkflowID(s.id), "", "-launch")
}

func reply(r *recorder) {
	s := r.talk()
	id := r.begin(s)
	session := s.session(id)
	s.must(http.MethodPost, "/v1/sessions/"+session+"/messages", doc{"content": "Who are you?"})
	eventually(r.t, 10*time.Second, "message", func() bool { return s.contact("O")["counts"].(doc)["received"].(float64) == 1 })
	s.must(http.MethodPost, "/v1/sessions/"+session+"/answers", doc{"content": "Anna."})
	eventually(r.t, 10*time.Second, "answer", func() bool { return s.contact("O")["internal_data"].(doc)["answers"] != nil })
	s.result(session, "DONE")
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

func lateReply(r *recorder) {
	s := r.talk()
	id := r.begin(s)
	session := s.session(id)
	s.result(session, "LATER")
	eventually(r.t, 10*time.Second, "later is planned", func() bool { return len(s.contact("O")["communications"].([]any)) == 2 })
	s.must(http.MethodPost, "/v1/sessions/"+session+"/messages", doc{"content": "I was away"})
	late := s.session(id)
	require.NotEqual(r.t, session, late)
	s.result(late, "DONE")
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

func refused(r *recorder) {
	s := r.talk()
	s.upload("text/csv", []byte("object_id,external_id,name,email,phone,timezone\nO,E,Ann,ann@example.com,,Mars/Olympus\n"))
	s.start()
	id := s.awaitStatus("O", "needs_attention", 20*time.Second)["id"].(string)
	s.must(http.MethodPost, s.path("/contacts"), doc{"object_id": "O", "external_id": "E", "timezone": "Europe/Rome"})
	s.must(http.MethodPost, s.path("/contacts/"+id+"/retry"), nil)
	s.result(s.session(id), "DONE")
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

func paused(r *recorder) {
	s := r.talk()
	s.upload("text/csv", []byte(oneContact))
	s.start()
	s.must(http.MethodPost, s.path("/stages/"+s.stages["Talk"]+"/pause"), nil)
	id := s.contact("O")["id"].(string)
	eventually(r.t, patience, "held", func() bool { return s.contact("O")["held"] != nil })
	s.must(http.MethodPost, s.path("/stages/"+s.stages["Talk"]+"/resume"), nil)
	session := s.session(id)
	s.must(http.MethodPost, s.path("/contacts/"+id+"/pause"), nil)
	s.must(http.MethodPost, s.path("/contacts/"+id+"/resume"), nil)
	s.result(session, "DONE")
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

func stopped(r *recorder) {
	s := r.talk()
	id := r.begin(s)
	s.session(id)
	s.must(http.MethodPost, s.path("/stop"), nil)
	s.awaitStatus("O", "stopped", 30*time.Second)
	r.keepContact(s, id, "")
}

func reimport(r *recorder) {
	s := r.talk()
	id := r.begin(s)
	s.result(s.session(id), "DONE")
	s.awaitStatus("O", "completed", 20*time.Second)
	s.must(http.MethodPost, s.path("/contacts"), doc{"object_id": "O", "external_id": "E", "parameters": doc{"again": true}})
	eventually(r.t, 20*time.Second, "sent again", func() bool { return len(s.outbox("")) == 2 })
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

func strategyError(r *recorder) {
	s := r.talk()
	bad := s.list(s.path("/strategies"))
	id := r.begin(s)
	session := s.session(id)
	var aggregation doc
	for _, x := range bad {
		if x["type"] == "aggregation" {
			aggregation = x
		}
	}
	update := func(code string) {
		s.must(http.MethodPut, s.path("/strategies/"+aggregation["id"].(string)), doc{"name": "aggregation", "type": "aggregation", "code": code})
	}
	update("async def run(contact, session_results, logger, **kwargs):\n    raise ValueError('not today')\n")
	s.result(session, "DONE")
	s.awaitStatus("O", "needs_attention", 20*time.Second)
	update(aggregation["code"].(string))
	s.must(http.MethodPost, s.path("/contacts/"+id+"/retry"), nil)
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

func slowStrategy(r *recorder) {
	s := r.talk()
	for _, x := range s.list(s.path("/strategies")) {
		if x["type"] == "aggregation" {
			s.must(http.MethodPut, s.path("/strategies/"+x["id"].(string)), doc{
				"name": "aggregation", "type": "aggregation",
				"code": "import asyncio\n" + x["code"].(string)[:len("\nasync def run(contact, session_results, logger, **kwargs):\n")] + "    await asyncio.sleep(1.5)\n    contact.current_stage = 'End'\n    return contact\n",
			})
		}
	}
	id := r.begin(s)
	s.result(s.session(id), "DONE")
	s.awaitStatus("O", "completed", 30*time.Second)
	r.keepContact(s, id, "")
}

func agentBusy(r *recorder) {
	s := r.talk(doc{"max_sessions": 1})
	s.upload("text/csv", []byte(oneContact+"P,F,Bob,bob@example.com,+14155550124\n"))
	s.start()
	var first, second string
	eventually(r.t, 20*time.Second, "one talks, one waits", func() bool {
		first, second = "", ""
		for _, c := range s.contacts("") {
			if c["held"] != nil {
				second = c["id"].(string)
			} else if len(s.list("/v1/sessions?status=open&contact_id="+c["id"].(string))) == 1 {
				first = c["id"].(string)
			}
		}
		return first != "" && second != ""
	})
	s.result(s.session(first), "DONE")
	s.result(s.session(second), "DONE")
	for _, object := range []string{"O", "P"} {
		s.awaitStatus(object, "completed", 20*time.Second)
	}
	r.keepContact(s, second, "")
}

// script is a scripted agent that asks, and ends when it is promised something.
var script = doc{"kind": "scripted", "states": []doc{{"name": "ask", "start": true, "replies": []doc{
	{"match": []string{"I will pay"}, "say": "Thank you, {{ name }}.", "results": doc{"OutcomeStatus": "DONE"}, "end": "completed"},
	{"match": []string{"person"}, "say": "One moment.", "hand_off": true, "reason": "asked for a person"},
	{"say": "Will you pay?"},
}}}}

func agentTurns(r *recorder) {
	s := r.talk(script)
	id := r.begin(s)
	session := s.session(id)
	say := func(text string) {
		s.must(http.MethodPost, "/v1/sessions/"+session+"/messages", doc{"content": text})
	}
	say("Who are you?")
	eventually(r.t, 10*time.Second, "answer", func() bool { return len(s.outbox("")) == 2 })
	say("I want a person")
	eventually(r.t, 10*time.Second, "hand-off", func() bool { return s.get("/v1/sessions/" + session)["mode"] == "human" })
	s.must(http.MethodPost, "/v1/sessions/"+session+"/hand_back", nil)
	say("I will pay")
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

// changesHands: the agent hands over, a person gives the conversation back with
// something unanswered, takes it again, and has it when its time is over.
func changesHands(r *recorder) {
	s := r.talk(script)
	id := r.begin(s)
	session := "/v1/sessions/" + s.session(id)
	does := func(what string, body any) { s.must(http.MethodPost, session+"/"+what, body) }
	does("messages", doc{"content": "I want a person"})
	eventually(r.t, 10*time.Second, "hand-off", func() bool { return s.get(session)["mode"] == "human" })
	does("claim", nil)
	does("reply", doc{"content": "A person here."})
	does("messages", doc{"content": "And now?"})
	eventually(r.t, 10*time.Second, "message", func() bool { return s.contact("O")["counts"].(doc)["received"].(float64) == 2 })
	does("hand_back", nil)
	eventually(r.t, 10*time.Second, "answer", func() bool { return len(s.outbox("")) == 4 })
	does("handoff", doc{"reason": "I know her"})
	does("claim", nil)
	eventually(r.t, 50*time.Second, "its time is put off", func() bool {
		next, err := time.Parse(time.RFC3339, s.contact("O")["next_action_at"].(string))
		return err == nil && time.Until(next) > time.Minute
	})
	does("unclaim", nil)
	does("resolve", doc{"results": doc{"OutcomeStatus": "DONE"}})
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

// takenOver: a person takes the conversation over while the agent's turn is under
// way, which then fails; a second answer comes too late as well. Given back, the
// agent answers.
func takenOver(r *recorder) {
	asked, answers := make(chan struct{}), make(chan struct{})
	wait := func() { asked <- struct{}{}; <-answers }
	system := webhooktest.New(r.t, turnsKey)
	s := r.talk(doc{"kind": "webhook", "settings": doc{"url": system.URL}, "secrets": doc{"signing_key": turnsKey}})
	id := r.begin(s)
	session := "/v1/sessions/" + s.session(id)
	does := func(what string, body any) { s.must(http.MethodPost, session+"/"+what, body) }
	failed := func(n int) {
		eventually(r.t, 10*time.Second, "what the turn brought", func() bool { return len(s.told("O", "failed")) == n })
	}
	for n, body := range []string{"<html>", `{"content": "Good morning"}`} {
		system.Fail(webhooktest.Fault{Status: 200, Body: body, Wait: wait})
		does("messages", doc{"content": "Hello?"})
		<-asked
		does("handoff", nil)
		does("claim", nil)
		answers <- struct{}{}
		failed(n + 1)
		does("hand_back", nil)
		eventually(r.t, 10*time.Second, "answer", func() bool { return len(s.outbox("")) == n+2 })
	}
	does("handoff", nil)
	does("resolve", doc{"results": doc{"OutcomeStatus": "DONE"}})
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

// inOrder: three replies at once, of which the provider is too busy for the first.
func inOrder(r *recorder) {
	l, fake := metaLine(r.t)
	s := r.spoken(l, "Ann")
	s.opens("Ann")
	s.say(s.person["Ann"], "hm")
	s.until("Ann", "heard", func(c doc) bool { return c["counts"].(doc)["received"].(float64) == 1 })
	session := "/v1/sessions/" + s.sessionOf("Ann")
	s.must(http.MethodPost, session+"/handoff", nil)
	fake.Fail(fault.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "2"}, Body: fmt.Sprintf(metaProblem, 130429, "Too many")})
	for _, words := range []string{"one", "two", "three"} {
		s.must(http.MethodPost, session+"/reply", doc{"content": words})
	}
	s.gets("Ann", 4, "three")
	s.must(http.MethodPost, session+"/resolve", nil)
	s.awaitStatus("Ann", "completed", 20*time.Second)
	r.keepContact(s.scene, s.contact("Ann")["id"].(string), "")
}

// decided: an agent hands over, or ends, in the turn in which it opens the session.
func decided(r *recorder) {
	system := webhooktest.New(r.t, turnsKey)
	system.Answer = openingSystem
	s := r.chats(r.name, doc{"kind": "webhook", "settings": doc{"url": system.URL}, "secrets": doc{"signing_key": turnsKey}}, doc{"channel": "telegram"}, "Ann", "Ben")
	s.decidesAtOnce()
	r.keepContact(s, s.contact("Ann")["id"].(string), "")
	r.keepContact(s, s.awaitStatus("Ben", "completed", patience)["id"].(string), "-ended")
}

// unheard: of two answers nobody knows whether they were sent; one is sent again by a
// person, the other is reported. A third is refused, and left so.
func unheard(r *recorder) {
	l, _ := metaLine(r.t)
	s := r.spoken(l, "Ann")
	s.opens("Ann")
	for n, end := range []func(){
		func() { s.settles("Ann", "retry"); s.gets("Ann", 3, "On which day, Ann?") },
		func() { s.reports(s.gets("Ann", 4, "Which day, please? You wrote: hm").id, "delivered") },
	} {
		s.always(&fault.Fault{Drop: true})
		s.say(s.person["Ann"], []string{"yes", "hm"}[n])
		s.awaitStatus("Ann", "needs_attention", patience)
		s.always(nil)
		end()
		s.awaitStatus("Ann", "active", patience)
	}
	s.always(&fault.Fault{Status: http.StatusBadRequest, Body: fmt.Sprintf(metaProblem, 131009, "Parameter value is not valid")})
	s.say(s.person["Ann"], "on 24.12.2026")
	s.until("Ann", "aggregated", func(c doc) bool { return c["current_stage"] == "Done" })
	s.awaitStatus("Ann", "needs_attention", patience)
	s.always(nil)
	s.settles("Ann", "skip")
	s.awaitStatus("Ann", "completed", patience)
	r.keepContact(s.scene, s.contact("Ann")["id"].(string), "")
}

func agentStopped(r *recorder) {
	s := r.talk(script)
	id := r.begin(s)
	session := s.session(id)
	agent := s.get("/v1/sessions/" + session)["agent_id"].(string)
	s.must(http.MethodPost, "/v1/agents/"+agent+"/stop", nil)
	s.must(http.MethodPost, "/v1/sessions/"+session+"/messages", doc{"content": "Hello?"})
	eventually(r.t, 10*time.Second, "held", func() bool { return s.contact("O")["held"] != nil })
	s.must(http.MethodPost, "/v1/agents/"+agent+"/start", nil)
	eventually(r.t, patience, "answer", func() bool { return len(s.outbox("")) == 2 })
	s.must(http.MethodPost, "/v1/sessions/"+session+"/messages", doc{"content": "I will pay"})
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keepContact(s, id, "")
}

// continueAsNew runs on a server that suggests a new run very early.
func continueAsNew(t *testing.T) {
	cli := os.Getenv("CARILLON_TEMPORAL")
	if cli == "" {
		cli = "../bin/temporal"
	}
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath: cli, LogLevel: "error",
		ExtraArgs: []string{"--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=40"},
		SearchAttributes: temporal.NewSearchAttributes(workflows.KeyCampaign.ValueSet(""), workflows.KeyObject.ValueSet(""), workflows.KeyStage.ValueSet(""),
			workflows.KeyStatus.ValueSet(""), workflows.KeyAttention.ValueSet(""), workflows.KeyNext.ValueSet(time.Time{})),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	c := &carillon{t: t, data: t.TempDir(), env: []string{"CARILLON_LOG_LEVEL=warn", "TEMPORAL_ADDRESS=" + server.FrontendHostPort()}}
	c.process = launch(t, c.env, "dev", "--data", c.data, "--listen", "127.0.0.1:0")
	c.api = c.ready["api"].(string)
	r := &recorder{carillon: c, t: t, name: "continue-as-new", temporal: server.Client()}
	s := r.talk()
	id := r.begin(s)
	session := s.session(id)
	workflowID := workflows.ContactWorkflowID(s.id, id)
	before, err := r.temporal.DescribeWorkflowExecution(t.Context(), workflowID, "")
	require.NoError(t, err)
	firstRun := before.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	run := firstRun
	for i := 0; run == firstRun && i < 50; i++ {
		s.must(http.MethodPost, "/v1/sessions/"+session+"/messages", doc{"content": "more"})
		eventually(t, 10*time.Second, "message", func() bool { return s.contact("O")["counts"].(doc)["received"].(float64) == float64(i+1) })
		now, err := r.temporal.DescribeWorkflowExecution(t.Context(), workflowID, "")
		require.NoError(t, err)
		run = now.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	}
	require.NotEqual(t, firstRun, run, "the contact continued as new")
	s.result(session, "DONE")
	s.awaitStatus("O", "completed", 20*time.Second)
	r.keep(workflowID, firstRun, "")
	r.keep(workflowID, run, "-second-run")
}
