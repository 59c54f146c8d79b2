package api_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"carillon/activities"
	allagents "carillon/agents/all"
	"carillon/api"
	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/all"
	"carillon/relay"
	"carillon/store"
	"carillon/workflows"
)

// newRunning is a front with a Temporal server and a worker behind it.
func newRunning(t *testing.T) (*front, client.Client) {
	t.Helper()
	return newRunningOn(t, frontStore(t))
}

// newRunningOn is that over a given store; tune may alter what the API stands on.
func newRunningOn(t *testing.T, s *store.Store, tune ...func(*api.Deps)) (*front, client.Client) {
	t.Helper()
	binary, err := filepath.Abs("../bin/temporal")
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		t.Skip("make temporal puts the dev server into ./bin")
	}
	quiet := slog.New(slog.DiscardHandler)
	var attributes []string
	for _, a := range []string{"CampaignId=Keyword", "ObjectId=Keyword", "CampaignStage=Keyword", "ContactStatus=Keyword", "AttentionReason=Keyword", "NextActionAt=Datetime"} {
		attributes = append(attributes, "--search-attribute", a)
	}
	dev, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ExistingPath: binary, LogLevel: "error", ExtraArgs: attributes, ClientOptions: &client.Options{Logger: sdklog.NewStructuredLogger(quiet)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = dev.Stop() })
	c := dev.Client()
	r := &relay.Relay{Inbox: s, Temporal: c, Log: quiet}
	a := &activities.Activities{
		Store: s, Channels: all.New(frontBox{s}), Agents: allagents.New(channels.NewRenderer()), Renderer: channels.NewRenderer(), Relay: r, Temporal: c, Mode: activities.ModeOutbox, Now: time.Now, Log: quiet,
	}
	base := func(d *api.Deps) {
		d.Temporal, d.Relay, d.Log = c, r, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	f := newFront(t, s, append(append([]func(*api.Deps){base}, tune...), func(d *api.Deps) {
		if runs, ok := d.Runner.(activities.Runner); ok {
			a.Runner = runs
		}
	})...)
	startWorkers(t, c, a)
	return f, c
}

func startWorkers(t *testing.T, c client.Client, a *activities.Activities) {
	t.Helper()
	start := func(queue string, o worker.Options, bind func(worker.Worker)) {
		w := worker.New(c, queue, o)
		bind(w)
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	start(workflows.QueueContacts, worker.Options{LocalActivityWorkerOnly: true}, func(w worker.Worker) {
		w.RegisterWorkflowWithOptions(workflows.Contact, workflow.RegisterOptions{Name: workflows.TypeContact})
		w.RegisterWorkflowWithOptions(workflows.Import, workflow.RegisterOptions{Name: workflows.TypeImport})
		w.RegisterWorkflowWithOptions(workflows.Launch, workflow.RegisterOptions{Name: workflows.TypeLaunch})
		w.RegisterWorkflowWithOptions(workflows.Sweep, workflow.RegisterOptions{Name: workflows.TypeSweep})
		workflows.BeginRun.Bind(w, a.BeginRun)
		workflows.Record.Bind(w, a.Record)
		workflows.Gate.Bind(w, a.Gate)
		workflows.RunStrategy.Bind(w, a.RunStrategy)
		workflows.CloseSession.Bind(w, a.CloseSession)
		workflows.OpenLate.Bind(w, a.OpenLate)
		workflows.ReleaseAgent.Bind(w, a.ReleaseAgent)
	})
	start(workflows.QueueStrategies, worker.Options{DisableWorkflowWorker: true}, func(w worker.Worker) { workflows.RunStrategy.Bind(w, a.RunStrategy) })
	start(workflows.QueueOffice, worker.Options{DisableWorkflowWorker: true}, func(w worker.Worker) {
		workflows.ImportChunk.Bind(w, a.ImportChunk)
		workflows.FinishImport.Bind(w, a.FinishImport)
		workflows.LaunchChunk.Bind(w, a.LaunchChunk)
		workflows.SweepChunk.Bind(w, a.SweepChunk)
	})
	start(workflows.QueueOutbox, worker.Options{DisableWorkflowWorker: true}, func(w worker.Worker) {
		workflows.Send.Bind(w, a.Send)
		workflows.Reply.Bind(w, a.Reply)
	})
}

// becomes waits until the document at a path says so.
func (f *front) becomes(path, key string, want any) reply {
	f.t.Helper()
	var last reply
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if last = f.get(path); last.at(key) == want {
			return last
		}
		select {
		case <-f.t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	require.Equal(f.t, want, last.at(key), last.raw)
	return last
}

// in gives the front another test to report to, and a campaign of that test.
func (f *front) in(t *testing.T) (*front, campaign.Campaign) {
	t.Helper()
	one := &front{t: t, store: f.store, url: f.url}
	return one, one.addCampaign(campaign.Running)
}

// create makes a contact by its object id and returns its path.
func (f *front) create(c campaign.Campaign, id string) string {
	f.t.Helper()
	made := f.post("/v1/campaigns/"+c.ID+"/contacts", `{"object_id":"`+id+`","external_id":"p-`+id+`","name":"Ada","email":"ada@example.com"}`).is(http.StatusCreated)
	return "/v1/campaigns/" + c.ID + "/contacts/" + made.text("id")
}

// wait moves a new contact to a stage that waits for an answer.
func (f *front) wait(c campaign.Campaign, id string) string {
	f.t.Helper()
	at := f.create(c, id)
	f.post(at+"/move", `{"stage_name":"Chat","send_now":true}`).is(http.StatusOK)
	f.becomes(at, "communications.0.status.status", "SENT")
	return at
}

func TestRunningContacts(t *testing.T) {
	t.Parallel()
	f, temporal := newRunning(t)
	require.NoError(t, f.store.CreateAgent(t.Context(), campaign.Agent{ID: "ag_anna", Name: "Anna", Kind: campaign.AgentExternal, Status: campaign.AgentRunning}))
	for name, test := range map[string]func(*testing.T, *front, client.Client){
		"a file is imported": testFile, "an outside event creates and updates": testUpsert, "operations reach the workflow": testOperations,
		"a conversation through the API": testConversation, "a lost workflow is restarted": testLost, "many at once": testBulk,
	} {
		t.Run(name, func(t *testing.T) { test(t, f, temporal) })
	}
}

func testFile(t *testing.T, f *front, _ client.Client) {
	f, c := f.in(t)
	imports := "/v1/campaigns/" + c.ID + "/imports"
	run := f.send(http.MethodPost, imports, "text/csv", goodFile).is(http.StatusAccepted)
	require.Equal(t, "processing", run.text("status"))
	done := f.becomes(imports+"/"+run.text("id"), "status", "completed")
	require.InDelta(t, 2, done.at("created"), 0)
	require.InDelta(t, 1, done.at("failed"), 0)
	require.Len(t, f.get("/v1/campaigns/"+c.ID+"/contacts").at("items"), 2)
	require.Contains(t, f.get(imports+"/"+run.text("id")+"/failed_rows").raw, "Bob;nonsense")
}

func testUpsert(t *testing.T, f *front, _ client.Client) {
	f, c := f.in(t)
	contacts := "/v1/campaigns/" + c.ID + "/contacts"
	made := f.post(contacts, `{"object_id":"1","external_id":"p-1","name":"Ada","parameters":{"amount":12345678901234567890}}`).is(http.StatusCreated)
	require.Contains(t, made.raw, "12345678901234567890")
	updated := f.post(contacts, `{"object_id":"1","external_id":"p-1","email":"ada@example.com"}`).is(http.StatusOK)
	require.Equal(t, "Ada", updated.text("name"))
	require.Equal(t, "ada@example.com", updated.text("email"))
	f.post(contacts, `{"object_id":"2","external_id":"p-2"}`).problem(http.StatusUnprocessableEntity, "name")
	f.post(contacts, `{"object_id":"2","external_id":"p-2","name":"Bob","email":"x"}`).problem(http.StatusUnprocessableEntity, "email")
	f.post(contacts, `{"object_id":"","external_id":"p-2","name":"Bob"}`).problem(http.StatusUnprocessableEntity, "object_id")
	f.post(contacts, `{"object_id":"2","external_id":"p-2","name":"Bob","colour":"red"}`).problem(http.StatusUnprocessableEntity, "colour")

	at := f.wait(c, "3")
	running := f.post(contacts, `{"object_id":"3","external_id":"p-3","parameters":{"paid":true}}`).is(http.StatusOK)
	require.Equal(t, "active", running.text("status"))
	require.Equal(t, true, f.get(at).at("parameters.paid"), "the row reached the workflow")
	f.post(at+"/stop", "").is(http.StatusOK)
	f.post(contacts, `{"object_id":"3","external_id":"p-3","name":"Cyd"}`).problem(http.StatusConflict, "")
}

func testOperations(t *testing.T, f *front, temporal client.Client) {
	f, c := f.in(t)
	at := f.wait(c, "1")
	require.Contains(t, f.get(at+"/plan").is(http.StatusOK).text("next_action"), "Chat")
	require.Equal(t, true, f.post(at+"/pause", "").is(http.StatusOK).at("paused"))
	require.Equal(t, []any{"the contact is paused"}, f.get(at+"/plan").at("blockers"))
	f.post(at+"/pause", "").problem(http.StatusConflict, "")
	require.Equal(t, false, f.post(at+"/resume", `{"policy":"restart_waits"}`).is(http.StatusOK).at("paused"))
	for range 2 { // bytes that are no text would not get through to Temporal
		require.Equal(t, true, f.send(http.MethodPost, at+"/pause", "", "", "Idempotency-Key", "\xff").is(http.StatusOK).at("paused"))
	}
	require.Equal(t, false, f.post(at+"/resume", "").is(http.StatusOK).at("paused"))
	f.post(at+"/skip", "").problem(http.StatusConflict, "")
	f.post(at+"/reschedule", `{"communication_id":"none","start_date":"2030-01-01T00:00:00Z"}`).problem(http.StatusUnprocessableEntity, "communication_id")
	require.Equal(t, "stopped", f.post(at+"/stop", `{"reason":"asked us to"}`).is(http.StatusOK).text("status"))
	f.post(at+"/stop", "").problem(http.StatusConflict, "")
	f.post(at+"/restart", "").problem(http.StatusConflict, "")
	f.post(at+"/reset", "").problem(http.StatusConflict, "")
	require.Contains(t, f.get(at+"/timeline").raw, "Stop by local")

	again := f.create(c, "2") // one that completes, and is opened again
	f.post(again+"/move", `{"stage_name":"Letter","send_now":true}`).is(http.StatusOK)
	f.becomes(again, "status", "completed")
	f.post(again+"/pause", "").problem(http.StatusConflict, "")
	f.post(again+"/move", `{"stage_name":"Letter","send_now":true}`).is(http.StatusOK)
	require.Equal(t, "COMPLETED", f.becomes(again, "communications.1.status.status", "COMPLETED").text("communications.1.status.status"))

	later := f.addContact(c, "3") // one that waits for its first date without a worker
	require.NoError(t, relay.Wake(t.Context(), temporal, c.ID))
	f.becomes(contactPath(later), "status", "active")
	require.Equal(t, "First letter at stage Letter", f.get(contactPath(later)+"/plan").is(http.StatusOK).text("next_action"))
	require.Equal(t, "stopped", f.post(contactPath(later)+"/stop", "").is(http.StatusOK).text("status"))
}

func testConversation(t *testing.T, f *front, temporal client.Client) {
	f, c := f.in(t)
	at := f.wait(c, "1")
	id := f.get(at).text("id")
	sent := f.get("/v1/outbox?contact_id=" + id).is(http.StatusOK)
	require.Equal(t, "Hello Ada", sent.text("items.0.body"))
	session := "/v1/sessions/" + sent.text("items.0.session_id")
	f.post("/v1/outbox/"+sent.text("items.0.id")+"/status", `{"status":"delivered"}`).is(http.StatusAccepted)
	f.becomes(at, "communications.0.status.status", "DELIVERED")
	f.post("/v1/outbox/"+sent.text("items.0.id")+"/reply", `{"content":"Who is this?"}`).is(http.StatusAccepted)
	f.becomes(at, "communications.0.status.status", "REPLIED")
	f.post(session+"/answers", `{"content":"It is Anna."}`).is(http.StatusAccepted)
	f.becomes(session, "messages.2.delivery", "sent")
	f.becomes(at, "counts.sent", 2.0)
	f.post(session+"/results", `{"results":{"promise":"Friday"}}`).is(http.StatusAccepted)
	ended := f.becomes(at, "status", "completed")
	require.Equal(t, "Friday", ended.text("results.promise"))
	require.Equal(t, "COMPLETED", ended.text("communications.0.status.status"))
	f.post(session+"/answers", `{"content":"x"}`).problem(http.StatusConflict, "")
	require.NoError(t, temporal.GetWorkflow(t.Context(), ended.text("workflow_id"), "").Get(t.Context(), nil))
	f.post(session+"/messages", `{"content":"Hello?"}`).is(http.StatusAccepted)
	f.becomes("/v1/unmatched", "items.0.content", "Hello?")
}

func testLost(t *testing.T, f *front, temporal client.Client) {
	f, c := f.in(t)
	at := f.wait(c, "1")
	id := f.get(at).text("workflow_id")
	f.post(at+"/restart", "").problem(http.StatusConflict, "")
	f.post(at+"/reset", "").is(http.StatusOK)
	f.post(at+"/pause", "").is(http.StatusOK)
	require.NoError(t, temporal.TerminateWorkflow(t.Context(), id, "", "lost"))
	require.Equal(t, []any{"the contact is paused"}, f.get(at+"/plan").is(http.StatusOK).at("blockers"), "the store answers")
	f.post(at+"/restart", "").is(http.StatusOK)
	require.Equal(t, false, f.post(at+"/resume", "").is(http.StatusOK).at("paused"))
}

func testBulk(t *testing.T, f *front, _ client.Client) {
	f, c := f.in(t)
	for _, id := range []string{"1", "2", "3"} {
		f.addContact(c, id)
	}
	running := f.wait(c, "4")
	job := f.post("/v1/campaigns/"+c.ID+"/contacts/bulk", `{"filter":{},"action":"stop","reason":"all of them"}`).is(http.StatusAccepted)
	done := f.becomes("/v1/jobs/"+job.text("id"), "status", "completed")
	require.InDelta(t, 4, done.at("done"), 0)
	require.InDelta(t, 0, done.at("failed"), 0)
	require.Equal(t, "stopped", f.get(running).text("status"))
	for _, item := range f.get("/v1/campaigns/" + c.ID + "/contacts").at("items").([]any) {
		require.Equal(t, "stopped", item.(map[string]any)["status"])
	}
}
