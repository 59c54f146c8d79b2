package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
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
	"carillon/workflows"
)

func TestMain(m *testing.M) {
	strategies.LaunchIfAsked()
	os.Exit(m.Run())
}

var now = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

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

// desk is the activities on a store with one campaign, one agent, a stage for
// mail and one for WhatsApp, and one contact with a communication planned at each.
type desk struct {
	*activities.Activities
	t       *testing.T
	store   *store.Store
	contact campaign.Contact
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "carillon.db"), store.Options{SecretKeys: [][]byte{make([]byte, 32)}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(ctx))
	require.NoError(t, s.CreateCampaign(ctx, campaign.Campaign{ID: "cp", Name: "Debt", Timezone: "UTC", Status: campaign.Running, Version: 1}))
	require.NoError(t, s.CreateAgent(ctx, campaign.Agent{ID: "ag", Name: "Anna", Kind: campaign.AgentExternal, Status: campaign.AgentRunning}))
	require.NoError(t, s.CreateIntegration(ctx, campaign.Integration{ID: "in", Name: "in", Provider: "outbox"}))
	for _, st := range []campaign.Stage{
		{ID: "st_mail", Name: "Mail", Delivery: campaign.Delivery{Channel: campaign.EmailNotification, Integration: "in", Subject: "Hello", Template: "You owe."}},
		{ID: "st_wa", Name: "WhatsApp", Delivery: campaign.Delivery{Channel: campaign.WhatsAppMeta, Integration: "in", Agent: "ag", TemplateName: "debt"}},
	} {
		st.CampaignID, st.Weight = "cp", 1
		_, err := s.CreateStage(ctx, st)
		require.NoError(t, err)
	}
	row := campaign.Row{Line: 2, Fields: map[string]string{"object_id": "1", "external_id": "U1", "name": "John", "email": "john@example.com", "phone": "+14155550123"}}
	c := row.NewContact("cp", now)
	for id, stage := range map[string]string{"mail": "Mail", "wa": "WhatsApp"} {
		c.Communications = append(c.Communications, campaign.Communication{
			ID: c.ID + "-" + id, Name: id, StageID: "st_" + id, StageName: stage, StartDate: now, Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now},
		})
	}
	d := &desk{t: t, store: s, contact: c, Activities: &activities.Activities{
		Store: s, Channels: all.New(box{s}), Agents: allagents.New(channels.NewRenderer()), Renderer: channels.NewRenderer(), Relay: &relay.Relay{Inbox: s, Log: slog.Default()},
		Mode: activities.ModeOutbox, Now: func() time.Time { return now }, Log: slog.Default(),
	}}
	d.add(c, row)
	return d
}

// add imports a contact.
func (d *desk) add(c campaign.Contact, row campaign.Row) {
	d.t.Helper()
	ctx, id := d.t.Context(), "im_"+c.ID
	require.NoError(d.t, d.store.CreateImport(ctx, campaign.Import{ID: id, CampaignID: "cp", StartedAt: now}))
	require.NoError(d.t, d.store.AddRows(ctx, id, 0, []store.ImportRow{{Line: 2, Row: &row}}))
	require.NoError(d.t, d.store.SealImport(ctx, id, 1))
	_, err := d.store.CommitChunk(ctx, store.ChunkWrite{ImportID: id, Contacts: []store.ContactWrite{{Contact: c}}, Created: 1, Now: now})
	require.NoError(d.t, err)
}

func (d *desk) input(name string) workflows.SendInput {
	ch := map[string]campaign.Channel{"mail": campaign.EmailNotification, "wa": campaign.WhatsAppMeta}[name]
	m := d.contact.Communication(d.contact.ID + "-" + name)
	require.NotNil(d.t, m)
	return workflows.SendInput{CampaignID: "cp", ContactID: d.contact.ID, Communication: *m, Verdict: campaign.Verdict{Outcome: campaign.GateGo, Alternative: "default", Channel: ch, Queue: workflows.QueueOutbox}}
}

func (d *desk) campaign(status campaign.Status) {
	_, err := d.store.UpdateCampaign(d.t.Context(), "cp", func(c *campaign.Campaign) error { c.Status = status; return nil })
	require.NoError(d.t, err)
}

func (d *desk) optOut() {
	_, err := d.store.Suppress(d.t.Context(), store.Suppression{ExternalID: "U1", Reason: "opt_out", CreatedAt: now})
	require.NoError(d.t, err)
}

func (d *desk) pauseIntegration() {
	_, err := d.store.UpdateIntegration(d.t.Context(), "in", func(i *campaign.Integration) error { i.Paused = true; return nil })
	require.NoError(d.t, err)
}

func TestWhatPassedTheGateIsAskedAgain(t *testing.T) {
	for _, tc := range []struct {
		name, of, outcome, why string
		change                 func(*desk, *workflows.SendInput)
	}{
		{"nothing changed", "wa", campaign.SendSent, "", func(*desk, *workflows.SendInput) {}},
		{"campaign paused", "mail", campaign.SendHeld, campaign.HeldCampaign, func(d *desk, _ *workflows.SendInput) { d.campaign(campaign.Paused) }},
		{"campaign stopped", "mail", campaign.SendHeld, campaign.HeldCampaign, func(d *desk, _ *workflows.SendInput) { d.campaign(campaign.Stopped) }},
		{"stage paused", "mail", campaign.SendHeld, campaign.HeldStage, func(d *desk, _ *workflows.SendInput) {
			_, err := d.store.UpdateStage(d.t.Context(), "cp", "st_mail", func(s *campaign.Stage) error { s.Paused = true; return nil })
			require.NoError(d.t, err)
		}},
		{"integration paused", "mail", campaign.SendHeld, campaign.HeldIntegration, func(d *desk, _ *workflows.SendInput) { d.pauseIntegration() }},
		{"agent stopped", "wa", campaign.SendHeld, campaign.HeldAgentStopped, func(d *desk, _ *workflows.SendInput) {
			_, err := d.store.UpdateAgent(d.t.Context(), "ag", func(a *campaign.Agent) error { a.Status = campaign.AgentStopped; return nil })
			require.NoError(d.t, err)
		}},
		{"opt-out", "wa", campaign.SendSkipped, "opt_out", func(d *desk, _ *workflows.SendInput) { d.optOut() }},
		{"expired", "mail", campaign.SendSkipped, "expired", func(_ *desk, in *workflows.SendInput) { at := now; in.Communication.ExpiresAt = &at }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t)
			in := d.input(tc.of)
			tc.change(d, &in)
			out, err := d.Send(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, tc.outcome, out.Outcome, out.Detail)
			if tc.outcome == campaign.SendHeld {
				require.Equal(t, tc.why, out.Hold.Cause)
				held, err := d.store.Holds(t.Context(), tc.why, out.Hold.Ref, "", 10)
				require.NoError(t, err)
				require.Empty(t, held, "the gate writes the hold")
			} else {
				require.Equal(t, tc.why, out.Reason)
			}
			sent, err := d.store.Outbox(t.Context(), "cp", d.contact.ID, store.Page{Limit: 10})
			require.NoError(t, err)
			require.Equal(t, tc.outcome == campaign.SendSent, len(sent.Items) == 1)
		})
	}
}

func TestWhatWasSentStaysSent(t *testing.T) {
	d := newDesk(t)
	_, err := d.Send(t.Context(), d.input("wa"))
	require.NoError(t, err)
	d.campaign(campaign.Stopped)
	d.optOut()
	out, err := d.Send(t.Context(), d.input("wa"))
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome)
}

func TestASessionEndsOnlyWithWhatEnds(t *testing.T) {
	for _, tc := range []struct {
		change func(*desk)
		status campaign.SessionStatus
	}{{(*desk).optOut, campaign.SessionFailed}, {(*desk).pauseIntegration, campaign.SessionOpen}} {
		d := newDesk(t)
		in := d.input("wa")
		id, ss := in.Communication.ID, campaign.SessionID(in.Communication.ID)
		_, _, err := d.store.ClaimSend(t.Context(), store.Send{ID: id, ContactID: d.contact.ID, CampaignID: "cp", CommunicationID: id, SessionID: ss, Channel: campaign.WhatsAppMeta, CreatedAt: now},
			&campaign.Session{ID: ss, CampaignID: "cp", ContactID: d.contact.ID, CommunicationID: id, Channel: campaign.WhatsAppMeta, CreatedAt: now}, nil)
		require.NoError(t, err)
		require.NoError(t, d.store.SettleSend(t.Context(), id, store.SendRetry, "", "busy", now))
		tc.change(d)
		_, err = d.Send(t.Context(), in)
		require.NoError(t, err)
		s, err := d.store.Session(t.Context(), ss)
		require.NoError(t, err)
		require.Equal(t, tc.status, s.Status)
	}
}

func TestAReplyIsNotSentAfterAnOptOut(t *testing.T) {
	d := newDesk(t)
	out, err := d.Send(t.Context(), d.input("wa"))
	require.NoError(t, err)
	require.NoError(t, d.store.AddMessage(t.Context(), campaign.Message{ID: "ms", SessionID: out.SessionID, Author: campaign.AuthorAgent, Content: "Well?", At: now, Delivery: "pending"}))
	d.optOut()
	out, err = d.Reply(t.Context(), workflows.ReplyInput{CampaignID: "cp", ContactID: d.contact.ID, CommunicationID: d.contact.ID + "-wa", SessionID: out.SessionID, MessageID: "ms"})
	require.NoError(t, err)
	require.Equal(t, campaign.SendFailed, out.Outcome)
	require.Equal(t, "opt_out", out.Reason)
}

func TestAPausedIntegrationHoldsATimeout(t *testing.T) {
	d := newDesk(t)
	out, err := d.Send(t.Context(), d.input("wa"))
	require.NoError(t, err)
	d.pauseIntegration()
	closed, err := d.CloseSession(t.Context(), workflows.CloseInput{
		CampaignID: "cp", ContactID: d.contact.ID, CommunicationID: d.contact.ID + "-wa", StageID: "st_wa", SessionID: out.SessionID,
		Status: campaign.SessionTimeout, Timeout: true, Now: now,
	})
	require.NoError(t, err)
	require.NotNil(t, closed.Held)
	require.Equal(t, campaign.HeldIntegration, closed.Held.Cause)
}

func TestTheGateHoldsAStoppedCampaign(t *testing.T) {
	d := newDesk(t)
	d.campaign(campaign.Stopped)
	v, err := d.Gate(t.Context(), workflows.GateInput{Contact: d.contact, CommunicationID: d.contact.ID + "-mail", Now: now})
	require.NoError(t, err)
	require.Equal(t, campaign.GateHeld, v.Outcome)
}

// broken is a store whose suppressions and integrations cannot be read.
type broken struct{ activities.Store }

var errBroken = errors.New("disk on fire")

func (broken) Suppressed(context.Context, string, campaign.Channel, string) (string, error) {
	return "", errBroken
}

func TestAStoresErrorIsRepeated(t *testing.T) {
	d := newDesk(t)
	d.Store = broken{d.store}
	_, err := d.Gate(t.Context(), workflows.GateInput{Contact: d.contact, CommunicationID: d.contact.ID + "-mail", Now: now})
	require.ErrorIs(t, err, errBroken)
	_, err = d.Send(t.Context(), d.input("mail"))
	require.ErrorIs(t, err, errBroken)
}

// unread is a store whose secrets of integrations cannot be read.
type unread struct{ activities.Store }

func (unread) IntegrationSecrets(context.Context, string) (map[string]campaign.Secret, error) {
	return nil, errBroken
}

func TestOnlyWhatAPersonCanMendIsTrouble(t *testing.T) {
	d := newDesk(t)
	d.Mode = activities.ModeRedirect
	out, err := d.Send(t.Context(), d.input("mail"))
	require.NoError(t, err)
	require.Equal(t, "integration_error", out.Reason, "no redirect address")
	require.Contains(t, out.Detail, "PUT /v1/settings")
	d.Store = unread{d.store}
	_, err = d.Send(t.Context(), d.input("mail"))
	require.ErrorIs(t, err, errBroken)
}

// stubbed is a runner that returns one result.
type stubbed struct {
	result strategies.Result
	call   strategies.Call
}

func (s *stubbed) Run(_ context.Context, _ strategies.Job, c strategies.Call) (strategies.Result, error) {
	s.call = c
	return s.result, nil
}

func (s *stubbed) RunBatch(context.Context, strategies.Job, []strategies.Call) ([]strategies.Result, error) {
	return []strategies.Result{s.result}, nil
}

func (d *desk) strategy(in workflows.StrategyInput) (out campaign.StrategyOutcome, err error) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	workflows.RunStrategy.Bind(env, d.RunStrategy)
	v, err := env.ExecuteActivity(workflows.RunStrategy.Name, in)
	if err != nil {
		return out, err
	}
	return out, v.Get(&out)
}

func TestSecretsOfACampaignAreNotShown(t *testing.T) {
	d := newDesk(t)
	ctx := t.Context()
	require.NoError(t, d.store.SetCampaignSecrets(ctx, "cp", map[string]campaign.Secret{"a": "hunter2", "b": "hunter2-long", "c": "abc", "key": "line one\nline two"}))
	_, err := d.store.CreateStrategy(ctx, campaign.Strategy{ID: "sy", CampaignID: "cp", Name: "load", Type: campaign.DataLoad, Function: "run", Code: "x", Hash: "h"})
	require.NoError(t, err)
	d.pending("im_2", 2)
	run := &stubbed{result: strategies.Result{
		Logs: []strategies.Log{{Level: "info", Message: "with hunter2-long, abc"}},
		Err:  &strategies.Error{Kind: strategies.KindTimeout, Message: "bad hunter2", Traceback: `{'key': 'line one\nline two'} hunter2`},
	}}
	d.Runner = run
	in := workflows.StrategyInput{CampaignID: "cp", ContactID: d.contact.ID, Type: campaign.DataLoad, Step: 1, Now: now, Import: &campaign.RowImport{ImportID: "im_2", Line: 2}}
	in.Local = true
	_, err = d.strategy(in)
	require.ErrorContains(t, err, "bad [secret]")
	require.NotContains(t, err.Error(), "hunter2")

	in.Local, run.result.Err.Kind = false, strategies.KindBadResult
	out, err := d.strategy(in)
	require.NoError(t, err)
	require.Equal(t, "bad [secret]", out.Error.Message)
	require.Equal(t, "{'key': '[secret]'} [secret]", out.Error.Traceback)
	runs, err := d.store.Runs(ctx, store.RunFilter{CampaignID: "cp"}, store.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, runs.Items, 1)
	require.Equal(t, out.Error, runs.Items[0].Error)
	require.Equal(t, "with [secret], abc", runs.Items[0].Logs[0].Message)
}

// pending commits a chunk whose row is with the contact's workflow.
func (d *desk) pending(importID string, line int) {
	d.t.Helper()
	ctx := d.t.Context()
	require.NoError(d.t, d.store.CreateImport(ctx, campaign.Import{ID: importID, CampaignID: "cp", StartedAt: now}))
	require.NoError(d.t, d.store.AddRows(ctx, importID, 0, []store.ImportRow{{Line: line, Row: &campaign.Row{Line: line}}}))
	require.NoError(d.t, d.store.SealImport(ctx, importID, 1))
	_, err := d.store.CommitChunk(ctx, store.ChunkWrite{ImportID: importID, Now: now, Pending: []store.PendingRow{{Line: line, ContactID: d.contact.ID, Event: store.InboxEvent{
		ID: importID + ":row", CampaignID: "cp", ContactID: d.contact.ID, Kind: string(campaign.EventImport), Payload: []byte(`{}`), At: now,
	}}}})
	require.NoError(d.t, err)
}

func TestASettledRowChangesNothing(t *testing.T) {
	d := newDesk(t)
	d.pending("im_2", 2)
	in := workflows.StrategyInput{
		CampaignID: "cp", ContactID: d.contact.ID, Type: campaign.DataLoad, Step: 1, Now: now,
		Import: &campaign.RowImport{ImportID: "im_2", Line: 2, Row: campaign.Row{Line: 2, Fields: map[string]string{"name": "Johnny"}}},
	}
	out, err := d.strategy(in)
	require.NoError(t, err)
	require.NotEqual(t, campaign.StrategyOutcome{None: true}, out)
	require.NoError(t, d.store.SettleRow(t.Context(), "im_2", store.Settlement{ImportID: "im_2", Line: 2}))

	in.Step = 2 // a task of the same run, executed again in another order
	again, err := d.strategy(in)
	require.NoError(t, err)
	require.Equal(t, out, again)

	in.Import.ImportID, in.Import.Line = "im", 2 // settled with its chunk
	out, err = d.strategy(in)
	require.NoError(t, err)
	require.Equal(t, campaign.StrategyOutcome{None: true}, out)
}

func TestALateAnswerWithoutASessionIsHeard(t *testing.T) {
	d := newDesk(t)
	_, err := d.store.CreateStrategy(t.Context(), campaign.Strategy{ID: "sy", CampaignID: "cp", Name: "end", Type: campaign.Aggregation, Function: "run", Code: "x", Hash: "h"})
	require.NoError(t, err)
	run := &stubbed{}
	d.Runner = run
	_, err = d.strategy(workflows.StrategyInput{
		CampaignID: "cp", ContactID: d.contact.ID, Type: campaign.Aggregation, Step: 1, Now: now,
		Ending: &campaign.Ending{CommunicationID: d.contact.ID + "-mail", Outcome: campaign.CommunicationCompleted, Answered: true, Said: "I have paid"},
	})
	require.NoError(t, err)
	require.Contains(t, string(run.call.SessionResults), `"Messages":[{"author":"contact","content":"I have paid","at":"2026-11-02T09:00:00Z"}]`)
}
