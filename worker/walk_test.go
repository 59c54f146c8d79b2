package worker_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"carillon/activities"
	allagents "carillon/agents/all"
	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/all"
	"carillon/channels/outbox"
	"carillon/relay"
	"carillon/store"
	"carillon/strategies"
	"carillon/worker"
	"carillon/workflows"
)

func TestMain(m *testing.M) {
	strategies.LaunchIfAsked()
	os.Exit(m.Run())
}

// house is the real parts behind the workflows, without a Temporal server:
// SQLite, Python, the outbox. Time is the test environment's.
type house struct {
	t     *testing.T
	store *store.Store
	acts  *activities.Activities
	camp  campaign.Campaign
	agent campaign.Agent
	turn  func(context.Context, workflows.TurnInput) (campaign.TurnOutcome, error)
}

type box struct{ *store.Store }

func (b box) Put(ctx context.Context, m outbox.Message) (outbox.Message, error) {
	kept, err := b.PutOutbox(ctx, store.OutboxMessage(m))
	return outbox.Message(kept), err
}

func (b box) ByCorrelation(ctx context.Context, key string) (outbox.Message, bool, error) {
	m, err := b.OutboxByCorrelation(ctx, key)
	if err != nil {
		return outbox.Message{}, false, nil //nolint:nilerr // not found
	}
	return outbox.Message(m), true, nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "carillon.db"), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(ctx))
	pool, err := strategies.Open(strategies.Options{Workers: 1, Sandbox: strategies.BestEffort})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	h := &house{t: t, store: s, camp: campaign.Campaign{ID: "cp_walk", Name: "Debt", Timezone: "Europe/Berlin", Status: campaign.Running, Version: 1}}
	h.acts = &activities.Activities{
		Store: s, Runner: pool, Channels: all.New(box{s}), Agents: allagents.New(channels.NewRenderer()), Renderer: channels.NewRenderer(), Relay: &relay.Relay{Inbox: s, Log: slog.Default()},
		Mode: activities.ModeOutbox, Now: time.Now, Log: slog.Default(),
	}
	h.turn = h.acts.Turn
	require.NoError(t, s.CreateCampaign(ctx, h.camp))
	h.agent = campaign.Agent{ID: "ag_1", Name: "Anna", Kind: campaign.AgentExternal, Status: campaign.AgentRunning}
	require.NoError(t, s.CreateAgent(ctx, h.agent))
	return h
}

func (h *house) stage(name string, d campaign.Delivery, tune ...func(*campaign.Stage)) {
	h.t.Helper()
	s := campaign.Stage{ID: "st_" + strings.ReplaceAll(name, " ", "_"), CampaignID: h.camp.ID, Name: name, Weight: 1, Delivery: d}
	for _, f := range tune {
		f(&s)
	}
	require.NoError(h.t, s.Validate())
	_, err := h.store.CreateStage(h.t.Context(), s)
	require.NoError(h.t, err)
}

func (h *house) strategy(kind campaign.StrategyType, code string) {
	h.t.Helper()
	_, err := h.store.CreateStrategy(h.t.Context(), campaign.Strategy{
		ID: "sy_" + string(kind), CampaignID: h.camp.ID, Name: string(kind), Type: kind, Function: kind.DefaultFunction(), Code: code, Hash: "h-" + string(kind),
	})
	require.NoError(h.t, err)
}

// load imports one row and returns the contact.
func (h *house) load(now time.Time, fields map[string]string, parameters campaign.Dict) campaign.Contact {
	h.t.Helper()
	ctx := h.t.Context()
	h.acts.Now = func() time.Time { return now }
	imp := campaign.Import{ID: "im_1", CampaignID: h.camp.ID, StartedAt: now}
	require.NoError(h.t, h.store.CreateImport(ctx, imp))
	row := campaign.Row{Line: 2, Fields: fields, Parameters: parameters}
	require.NoError(h.t, h.store.AddRows(ctx, imp.ID, 0, []store.ImportRow{{Line: 2, Row: &row}}))
	require.NoError(h.t, h.store.SealImport(ctx, imp.ID, 1))
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	workflows.ImportChunk.Bind(env, h.acts.ImportChunk)
	_, err := env.ExecuteActivity(workflows.ImportChunk.Name, workflows.ImportChunkInput{ImportID: imp.ID})
	require.NoError(h.t, err)
	c, err := h.store.Contact(ctx, h.camp.ID, campaign.ContactID(h.camp.ID, fields["object_id"], fields["external_id"]))
	require.NoError(h.t, err)
	return c
}

// env is a time-skipping run of one contact on the house's parts.
func (h *house) env(start time.Time) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(start)
	env.SetTestTimeout(30 * time.Second)
	h.acts.Now = env.Now
	worker.RegisterWorkflows(env)
	workflows.BeginRun.Bind(env, h.acts.BeginRun)
	workflows.Record.Bind(env, h.acts.Record)
	workflows.Gate.Bind(env, h.acts.Gate)
	workflows.Send.Bind(env, h.acts.Send)
	workflows.Reply.Bind(env, h.acts.Reply)
	workflows.RunStrategy.Bind(env, h.acts.RunStrategy)
	workflows.Turn.Bind(env, h.turn)
	workflows.CloseSession.Bind(env, h.acts.CloseSession)
	workflows.OpenLate.Bind(env, h.acts.OpenLate)
	workflows.ReleaseAgent.Bind(env, h.acts.ReleaseAgent)
	return env
}

const walkDataLoad = `
async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if existing_contact is not None:
        if contact.parameters.get("paid"):
            contact.current_stage = "Paid"
        return contact
    contact.communications.append(Communication(
        name="Notice", stage_name="E-mail", start_date=datetime.now() + timedelta(hours=1)))
    contact.current_stage = "E-mail"
    return contact
`

const walkAggregation = `
async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    ended = kwargs["communication"]
    outcome = session_results.get("OutcomeStatus", "NO_RESPONSE")
    logger.info("%s ended with %s", ended.name, outcome)
    for comm in contact.communications:
        if comm.flagged:
            comm.status.status = CommunicationStatus.COMPLETED
    if ended.stage_name == "E-mail" and outcome == "NO_RESPONSE":
        contact.communications.append(Communication(
            name="WhatsApp talk", stage_name="WhatsApp", start_date=datetime.now() + timedelta(days=1)))
    if outcome == "PROMISE_TO_PAY":
        contact.communications.append(Communication(
            name="Reminder", stage_name="Payment Promised", start_date=datetime.now() + timedelta(days=5)))
    return contact
`

const walkAnswer = `
async def on_agent_answer(contact: Contact, message: Message, **kwargs) -> Contact | None:
    contact.internal_data["last_message_time"] = datetime.now()
    if "promise to pay" in message.content.lower():
        contact.current_stage = "Payment Promised"
    return contact
`

func (h *house) walk() {
	h.stage("E-mail", campaign.Delivery{Channel: campaign.EmailNotification, Integration: "mail", Subject: "Your debt, {{ name }}", Template: "You owe {{ parameters.amount }}."},
		func(s *campaign.Stage) { s.SessionTimeout = campaign.Duration(72 * time.Hour) })
	h.stage("WhatsApp", campaign.Delivery{Channel: campaign.WhatsAppMeta, Agent: "Anna", TemplateName: "debt", StartState: "ask"})
	h.stage("Payment Promised", campaign.Delivery{Channel: campaign.EmailNotification, Integration: "mail", Subject: "You promised", Template: "Please pay."})
	h.stage("Paid", campaign.Delivery{Channel: campaign.NoCommunication, StartState: "paid"}, func(s *campaign.Stage) { s.Outcome = campaign.OutcomeSuccess })
	h.strategy(campaign.DataLoad, walkDataLoad)
	h.strategy(campaign.Aggregation, walkAggregation)
	h.strategy(campaign.AgentAnswer, walkAnswer)
}

// tell commits an event as the API does and signals it.
func (h *house) tell(env *testsuite.TestWorkflowEnvironment, e campaign.Event, m *campaign.Message) {
	h.t.Helper()
	payload, err := json.Marshal(e)
	require.NoError(h.t, err)
	contact := strings.Split(strings.TrimPrefix(e.SessionID, "ss_"), "-")[0]
	_, err = h.store.AddEvent(h.t.Context(), store.InboxEvent{ID: e.ID, ContactID: contact, SessionID: e.SessionID, Kind: string(e.Kind), Payload: payload, At: env.Now()}, m, nil)
	require.NoError(h.t, err)
	env.SignalWorkflow(workflows.SignalFor(e.Kind), e)
}

func TestTheManualsWalkInTimersOfDays(t *testing.T) {
	h := newHouse(t)
	h.walk()
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	c := h.load(start, map[string]string{"object_id": "123", "external_id": "U1", "name": "John Doe", "email": "john@example.com", "phone": "+14155550123"},
		campaign.Dict{"amount": json.RawMessage(`"120 EUR"`)})
	require.Len(t, c.Communications, 1)

	env := h.env(start)
	session := campaign.SessionID(c.ID + "-2")
	at := func(d time.Duration, do func()) { env.RegisterDelayedCallback(do, d) }
	// The e-mail goes after an hour and waits three days; WhatsApp follows a day later.
	at(4*24*time.Hour+2*time.Hour, func() {
		h.tell(env, campaign.Event{ID: "m1", Kind: campaign.EventMessage, SessionID: session, MessageID: "m1", Content: "I will pay on Friday", Author: campaign.AuthorContact},
			&campaign.Message{ID: "m1", SessionID: session, Author: campaign.AuthorContact, Content: "I will pay on Friday", At: env.Now()})
	})
	at(4*24*time.Hour+3*time.Hour, func() {
		h.tell(env, campaign.Event{ID: "a1", Kind: campaign.EventAnswer, SessionID: session, MessageID: "a1", Content: "Thank you, I note your promise to pay.", Author: campaign.AuthorAgent},
			&campaign.Message{ID: "a1", SessionID: session, Author: campaign.AuthorAgent, Content: "Thank you, I note your promise to pay.", At: env.Now(), Delivery: "pending"})
	})
	at(4*24*time.Hour+4*time.Hour, func() {
		h.tell(env, campaign.Event{ID: "r1", Kind: campaign.EventResult, SessionID: session, Status: campaign.SessionCompleted, Results: campaign.Dict{"OutcomeStatus": json.RawMessage(`"PROMISE_TO_PAY"`)}}, nil)
	})
	at(6*24*time.Hour, func() {
		require.NoError(t, h.store.CreateImport(t.Context(), campaign.Import{ID: "im_2", CampaignID: h.camp.ID, StartedAt: env.Now()}))
		require.NoError(t, h.store.AddRows(t.Context(), "im_2", 0, []store.ImportRow{{Line: 2, Row: &campaign.Row{Line: 2}}}))
		require.NoError(t, h.store.SealImport(t.Context(), "im_2", 1))
		_, err := h.store.CommitChunk(t.Context(), store.ChunkWrite{ImportID: "im_2", Now: env.Now(), Pending: []store.PendingRow{{
			Line: 2, ContactID: c.ID,
			Event: store.InboxEvent{ID: "im_2:2", CampaignID: h.camp.ID, ContactID: c.ID, Kind: string(campaign.EventImport), Payload: []byte(`{}`), At: env.Now()},
		}}})
		require.NoError(t, err)
		env.SignalWorkflow(workflows.SignalImport, campaign.Event{ID: "im_2:2", Kind: campaign.EventImport, Import: &campaign.RowImport{
			ImportID: "im_2", Line: 2,
			Row: campaign.Row{Line: 2, Fields: map[string]string{"object_id": "123", "external_id": "U1"}, Parameters: campaign.Dict{"paid": json.RawMessage(`true`)}},
		}})
	})
	env.ExecuteWorkflow(workflows.TypeContact, workflows.ContactInput{CampaignID: h.camp.ID, ContactID: c.ID})

	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	done, err := h.store.Contact(t.Context(), h.camp.ID, c.ID)
	require.NoError(t, err)
	timeline, err := h.store.Decisions(t.Context(), c.ID)
	require.NoError(t, err)
	var story []string
	for _, d := range timeline {
		story = append(story, d.At.Format("2 Jan 15:04 ")+string(d.Kind)+": "+d.Summary)
	}
	t.Log("\n" + strings.Join(story, "\n"))
	require.Equal(t, campaign.ContactCompleted, done.Status)
	require.Equal(t, campaign.OutcomeSuccess, done.Outcome)
	require.Equal(t, "Paid", done.CurrentStage)
	var ends []string
	for _, m := range done.Communications {
		ends = append(ends, m.Name+" "+string(m.Status.Status))
	}
	require.Equal(t, []string{"Notice COMPLETED", "WhatsApp talk COMPLETED", "Reminder CANCELED"}, ends)
	require.Equal(t, `"PROMISE_TO_PAY"`, string(done.Results["OutcomeStatus"]))
	sent, err := h.store.Outbox(t.Context(), h.camp.ID, c.ID, store.Page{Limit: 50})
	require.NoError(t, err)
	require.Len(t, sent.Items, 3, "notice, opening, answer")
}
