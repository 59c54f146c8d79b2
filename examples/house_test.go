package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"carillon/activities"
	allagents "carillon/agents/all"
	"carillon/bundle"
	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/all"
	"carillon/channels/outbox"
	"carillon/examples"
	"carillon/intake"
	"carillon/relay"
	"carillon/store"
	"carillon/strategies"
	"carillon/workflows"
)

// pool runs the strategies of every walk.
var pool *strategies.Pool

func TestMain(m *testing.M) {
	strategies.LaunchIfAsked()
	os.Exit(withPool(m))
}

func withPool(m *testing.M) int {
	var err error
	if pool, err = strategies.Open(strategies.Options{Workers: 2, Sandbox: strategies.BestEffort}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer pool.Close()
	return m.Run()
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

// walk is one contact of an example on its way, on the real parts without a
// Temporal server: SQLite, Python, the outbox, the agents. Days pass at once.
type walk struct {
	t       *testing.T
	store   *store.Store
	acts    *activities.Activities
	env     *testsuite.TestWorkflowEnvironment
	camp    campaign.Campaign
	contact campaign.Contact
	events  int
}

// newWalk applies the example and imports the row of contacts.csv with the
// object_id at the start, changed by the given fields.
func newWalk(t *testing.T, example, objectID string, start time.Time, changes ...string) *walk {
	t.Helper()
	t.Parallel()
	ctx := t.Context()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "carillon.db"), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(ctx))
	renderer := channels.NewRenderer()
	w := &walk{t: t, store: s, acts: &activities.Activities{
		Store: s, Runner: pool, Channels: all.New(box{s}), Agents: allagents.New(renderer), Renderer: renderer, Relay: &relay.Relay{Inbox: s, Log: slog.Default()},
		Mode: activities.ModeOutbox, Now: func() time.Time { return start }, Log: slog.Default(),
	}}
	w.apply(example)
	w.load(w.row(example, objectID, changes), start)

	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	w.env = suite.NewTestWorkflowEnvironment()
	w.env.SetStartTime(start)
	w.env.SetTestTimeout(time.Minute)
	w.acts.Now = w.env.Now
	w.env.RegisterWorkflowWithOptions(workflows.Contact, workflow.RegisterOptions{Name: workflows.TypeContact})
	workflows.BeginRun.Bind(w.env, w.acts.BeginRun)
	workflows.Record.Bind(w.env, w.acts.Record)
	workflows.Gate.Bind(w.env, w.acts.Gate)
	workflows.Send.Bind(w.env, w.acts.Send)
	workflows.Reply.Bind(w.env, w.acts.Reply)
	workflows.RunStrategy.Bind(w.env, w.acts.RunStrategy)
	workflows.Turn.Bind(w.env, w.acts.Turn)
	workflows.CloseSession.Bind(w.env, w.acts.CloseSession)
	workflows.OpenLate.Bind(w.env, w.acts.OpenLate)
	workflows.ReleaseAgent.Bind(w.env, w.acts.ReleaseAgent)
	return w
}

// apply puts the bundle into the store, as the API does.
func (w *walk) apply(example string) {
	w.t.Helper()
	b, err := bundle.Load(examples.Files, example+"/bundle.yaml")
	require.NoError(w.t, err)
	whole := store.Whole{Campaign: campaign.Campaign{ID: "cp_" + example, Status: campaign.Running, Version: 1}}
	b.Campaign.Into(&whole.Campaign)
	w.camp = whole.Campaign
	for i := range b.Agents {
		a := campaign.Agent{ID: fmt.Sprintf("ag_%d", i)}
		b.Agents[i].Into(&a)
		require.NoError(w.t, w.acts.Agents.Validate(&a))
		whole.Agents = append(whole.Agents, a)
	}
	for i := range b.Stages {
		var s campaign.Stage
		b.Stages[i].Into(&s)
		require.Empty(w.t, w.acts.Renderer.Check(s))
		whole.Stages = append(whole.Stages, s)
	}
	for i := range b.Strategies {
		var s campaign.Strategy
		b.Strategies[i].Into(&s)
		whole.Strategies = append(whole.Strategies, s)
	}
	require.NoError(w.t, w.store.CreateWhole(w.t.Context(), whole))
}

// row reads contacts.csv as an import does.
func (w *walk) row(example, objectID string, changes []string) campaign.Row {
	w.t.Helper()
	text, err := examples.Files.ReadFile(example + "/contacts.csv")
	require.NoError(w.t, err)
	o := intake.Options{Timezone: w.camp.Location()}
	for _, f := range w.camp.Fields {
		o.Fields = append(o.Fields, intake.Field{Name: f.Name, Type: f.Type, Format: f.Format, Values: f.Values, Required: f.Required})
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	header := strings.Split(lines[0], ",")
	for _, line := range lines[1:] {
		cells := strings.Split(line, ",")
		if cells[0] != objectID {
			continue
		}
		for i := 0; i < len(changes); i += 2 {
			for at, name := range header {
				if name == changes[i] {
					cells[at] = changes[i+1]
				}
			}
		}
		r, err := intake.Open(strings.NewReader(lines[0]+"\n"+strings.Join(cells, ",")+"\n"), o)
		require.NoError(w.t, err)
		row, err := r.Next()
		require.NoError(w.t, err)
		for _, p := range row.Problems {
			require.NotEqual(w.t, intake.SeverityError, p.Severity, "%s: %s", p.Field, p.Reason)
		}
		return campaign.Row{Line: row.Line, Fields: row.Fields, Parameters: row.Parameters}
	}
	require.FailNow(w.t, "no such row", objectID)
	return campaign.Row{}
}

func (w *walk) load(row campaign.Row, now time.Time) {
	w.t.Helper()
	ctx := w.t.Context()
	require.NoError(w.t, w.store.CreateImport(ctx, campaign.Import{ID: "im_1", CampaignID: w.camp.ID, StartedAt: now}))
	require.NoError(w.t, w.store.AddRows(ctx, "im_1", 0, []store.ImportRow{{Line: row.Line, Row: &row}}))
	require.NoError(w.t, w.store.SealImport(ctx, "im_1", 1))
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	workflows.ImportChunk.Bind(env, w.acts.ImportChunk)
	_, err := env.ExecuteActivity(workflows.ImportChunk.Name, workflows.ImportChunkInput{ImportID: "im_1"})
	require.NoError(w.t, err)
	require.NoError(w.t, w.store.RowErrors(ctx, "im_1", func(e campaign.RowError, warning bool) error {
		require.True(w.t, warning, "%s: %s", e.Field, e.Reason)
		return nil
	}))
	w.contact, err = w.store.Contact(ctx, w.camp.ID, campaign.ContactID(w.camp.ID, row.Fields["object_id"], row.Fields["external_id"]))
	require.NoError(w.t, err)
}

// zone is where the examples' campaigns are; the walks' dates are of it.
var zone = func() *time.Location {
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return z
}()

const clock = "2006-01-02 15:04"

// on is a moment in the campaign's zone.
func on(text string) time.Time {
	t, err := time.ParseInLocation(clock, text, zone)
	if err != nil {
		panic(err)
	}
	return t
}

// at does something at a moment of the walk.
func (w *walk) at(moment string, do func()) *walk {
	w.env.RegisterDelayedCallback(do, on(moment).Sub(w.env.Now()))
	return w
}

// tell commits an event as the API does and signals it.
func (w *walk) tell(e campaign.Event, m *campaign.Message) {
	w.t.Helper()
	w.events++
	e.ID = fmt.Sprintf("ev_%d", w.events)
	if m != nil {
		m.ID, m.SessionID, m.At = e.ID, e.SessionID, w.env.Now()
		e.MessageID, e.Content, e.Author = m.ID, m.Content, m.Author
	}
	payload, err := json.Marshal(e)
	require.NoError(w.t, err)
	if e.SessionID == "" {
		m = nil // an answer to a notification belongs to no session
	}
	_, err = w.store.AddEvent(w.t.Context(), store.InboxEvent{
		ID: e.ID, CampaignID: w.camp.ID, ContactID: w.contact.ID, SessionID: e.SessionID, Kind: string(e.Kind), Payload: payload, At: w.env.Now(),
	}, m, nil)
	require.NoError(w.t, err)
	w.env.SignalWorkflow(workflows.SignalFor(e.Kind), e)
}

// latest is the communication that left last, and its session, if it has one.
func (w *walk) latest() (communicationID, sessionID string) {
	w.t.Helper()
	c, err := w.store.Contact(w.t.Context(), w.camp.ID, w.contact.ID)
	require.NoError(w.t, err)
	for i := range c.Communications {
		if m := &c.Communications[i]; m.Status.Status != campaign.CommunicationPlanned && m.Status.Status != campaign.CommunicationCanceled && m.Status.Status != campaign.CommunicationSkipped {
			communicationID, sessionID = m.ID, m.SessionID
		}
	}
	require.NotEmpty(w.t, communicationID, "nothing has left yet at %s", w.env.Now().In(zone))
	return communicationID, sessionID
}

// says is the contact's answer to what left last.
func (w *walk) says(moment, content string) *walk {
	return w.at(moment, func() {
		id, session := w.latest()
		w.tell(campaign.Event{Kind: campaign.EventMessage, CommunicationID: id, SessionID: session}, &campaign.Message{Author: campaign.AuthorContact, Content: content})
	})
}

// ends is how a call or a person's session ended, with what was found out.
func (w *walk) ends(moment string, status campaign.SessionStatus, results campaign.Dict) *walk {
	return w.at(moment, func() {
		_, session := w.latest()
		require.NotEmpty(w.t, session)
		w.tell(campaign.Event{Kind: campaign.EventResult, SessionID: session, Status: status, Results: results}, nil)
	})
}

// reported is what the provider reports of what left last.
func (w *walk) reported(moment, status string) *walk {
	return w.at(moment, func() {
		id, session := w.latest()
		w.tell(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id, SessionID: session, Delivery: status}, nil)
	})
}

// news is an outside event: POST …/contacts with parameters.
func (w *walk) news(moment string, parameters campaign.Dict) *walk {
	return w.at(moment, func() {
		ctx, id := w.t.Context(), "im_news"
		require.NoError(w.t, w.store.CreateImport(ctx, campaign.Import{ID: id, CampaignID: w.camp.ID, StartedAt: w.env.Now()}))
		require.NoError(w.t, w.store.AddRows(ctx, id, 0, []store.ImportRow{{Line: 1, Row: &campaign.Row{Line: 1}}}))
		require.NoError(w.t, w.store.SealImport(ctx, id, 1))
		_, err := w.store.CommitChunk(ctx, store.ChunkWrite{ImportID: id, Now: w.env.Now(), Pending: []store.PendingRow{{
			Line: 1, ContactID: w.contact.ID,
			Event: store.InboxEvent{ID: id + ":1", CampaignID: w.camp.ID, ContactID: w.contact.ID, Kind: string(campaign.EventImport), Payload: []byte(`{}`), At: w.env.Now()},
		}}})
		require.NoError(w.t, err)
		w.env.SignalWorkflow(workflows.SignalImport, campaign.Event{ID: id + ":1", Kind: campaign.EventImport, Import: &campaign.RowImport{
			ImportID: id, Line: 1,
			Row: campaign.Row{Line: 1, Fields: map[string]string{"object_id": w.contact.ObjectID, "external_id": w.contact.ExternalID}, Parameters: parameters},
		}})
	})
}

// text is one parameter or result.
func value(name string, v any) campaign.Dict {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return campaign.Dict{name: raw}
}

// goes walks to the end, and wants the messages that left, in order, and how it ended.
func (w *walk) goes(end string, sends ...string) campaign.Contact {
	w.t.Helper()
	w.env.ExecuteWorkflow(workflows.TypeContact, workflows.ContactInput{CampaignID: w.camp.ID, ContactID: w.contact.ID})
	done, err := w.store.Contact(context.WithoutCancel(w.t.Context()), w.camp.ID, w.contact.ID)
	require.NoError(w.t, err)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Log("\n" + w.story())
		}
	})
	require.True(w.t, w.env.IsWorkflowCompleted())
	require.NoError(w.t, w.env.GetWorkflowError())
	require.Equal(w.t, strings.Join(sends, "\n"), strings.Join(w.sends(&done), "\n"))
	require.Equal(w.t, end, fmt.Sprintf("%s %s at %s", done.Status, done.Outcome, done.CurrentStage))
	return done
}

// sends lists what left: when, by which channel, for which stage, to whom. What
// was said inside a session is indented; a person's task is to nobody.
func (w *walk) sends(c *campaign.Contact) []string {
	w.t.Helper()
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	l, err := w.store.Outbox(w.t.Context(), w.camp.ID, w.contact.ID, store.Page{Limit: 100})
	require.NoError(w.t, err)
	for i := len(l.Items) - 1; i >= 0; i-- {
		m := &l.Items[i]
		var p outbox.Payload
		require.NoError(w.t, json.Unmarshal(m.Payload, &p))
		require.NotContains(w.t, m.Body, "{{")
		text := fmt.Sprintf("%s %s %q to %s", m.At.In(zone).Format(clock), m.Channel, c.Communication(m.CommunicationID).StageName, m.To)
		if p.Reply {
			text, _, _ = strings.Cut(m.Body, ". ")
			text = "    " + strings.TrimSuffix(strings.TrimSpace(text), ".")
		}
		lines = append(lines, line{m.At, text})
	}
	for _, d := range must(w.store.Decisions(w.t.Context(), w.contact.ID)) {
		id, _ := d.Data["communication_id"].(string)
		if m := c.Communication(id); m != nil && m.Channel == campaign.Human && (d.Kind == campaign.DecisionSent || d.Kind == campaign.DecisionSessionStarted) {
			lines = append(lines, line{d.At, fmt.Sprintf("%s human %q", d.At.In(zone).Format(clock), m.StageName)})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	out := make([]string, len(lines))
	for i := range lines {
		out[i] = lines[i].text
	}
	return out
}

func (w *walk) story() string {
	timeline, err := w.store.Decisions(context.Background(), w.contact.ID)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, d := range timeline {
		out = append(out, d.At.In(zone).Format(clock+" ")+string(d.Kind)+": "+d.Summary+" "+string(must(json.Marshal(d.Data["logs"]))))
	}
	return strings.Join(out, "\n")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
