package activities_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"carillon/activities"
	"carillon/agents"
	"carillon/agents/webhook"
	"carillon/campaign"
	"carillon/channels"
	"carillon/workflows"
)

// echo is an agent that counts its turns, says what it was told and does as it is bid.
type echo struct {
	turns     int
	answer    agents.Answer
	exactly   bool // the answer is all it says
	err       error
	meanwhile func() // happens while it thinks
}

func (e *echo) Describe() agents.Description {
	return agents.Description{Kind: campaign.AgentScripted, Name: "Echo", Turns: true, Instant: true}
}

func (e *echo) Validate(*campaign.Agent) error { return nil }

func (e *echo) Open(campaign.Agent, agents.Deps) (agents.Speaker, error) { return e, nil }

func (e *echo) Speak(_ context.Context, t agents.Turn) (agents.Answer, error) {
	e.turns++
	if e.meanwhile != nil {
		e.meanwhile()
	}
	a := e.answer
	if e.exactly {
		return a, e.err
	}
	a.Content = fmt.Sprintf("%s, turn %d", t.Contact.Name, e.turns)
	for _, m := range t.Said() {
		a.Content += ", " + m.Content
	}
	return a, e.err
}

// parlour is a desk with an open session in which John has said "one" and "two".
func parlour(t *testing.T) (*desk, *echo, workflows.TurnInput) {
	d, e := newDesk(t), &echo{}
	d.Agents = agents.NewRegistry(e)
	m := d.contact.Communication(d.contact.ID + "-wa")
	s := campaign.Session{
		ID: campaign.SessionID(m.ID), CampaignID: "cp", ContactID: d.contact.ID, CommunicationID: m.ID, AgentID: "ag",
		Mode: campaign.ModeAI, Status: campaign.SessionOpen, Channel: campaign.WhatsAppMeta, CreatedAt: now,
	}
	require.NoError(t, d.store.OpenSession(t.Context(), s))
	_, err := d.store.UpdateAgent(t.Context(), "ag", func(a *campaign.Agent) error { a.Kind = campaign.AgentScripted; return nil })
	require.NoError(t, err)
	for _, text := range []string{"one", "two", "three"} {
		require.NoError(t, d.store.AddMessage(t.Context(), campaign.Message{ID: text, SessionID: s.ID, Author: campaign.AuthorContact, Content: text, At: now}))
	}
	return d, e, workflows.TurnInput{CampaignID: "cp", ContactID: d.contact.ID, CommunicationID: m.ID, SessionID: s.ID, MessageID: "two", Now: now, Local: true}
}

func takeTurn(d *desk, in workflows.TurnInput) (campaign.TurnOutcome, error) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(d.Turn)
	var out campaign.TurnOutcome
	v, err := env.ExecuteActivity(d.Turn, in)
	if err != nil {
		return out, err
	}
	return out, v.Get(&out)
}

func TestATurnIsTakenOnce(t *testing.T) {
	t.Parallel()
	d, e, in := parlour(t)
	e.answer = agents.Answer{State: "asked", Results: campaign.Dict{"n": []byte("1")}, End: campaign.SessionCompleted, Reason: "done"}
	for range 2 { // the second attempt comes from a worker that knows nothing of the first
		out, err := takeTurn(d, in)
		require.NoError(t, err)
		require.Equal(t, "John, turn 1, one, two", out.Content, "what was said after the message is the next turn's")
		require.Equal(t, "trn_two", out.MessageID)
		require.Equal(t, campaign.SessionCompleted, out.End)
	}
	s, err := d.store.Session(t.Context(), in.SessionID)
	require.NoError(t, err)
	require.Equal(t, "asked", s.State)
	require.Len(t, s.Messages, 4)
	require.Equal(t, "pending", s.Messages[3].Delivery, "it is stored before it is sent")
}

func TestATurnWaitsOrIsNotTaken(t *testing.T) {
	t.Parallel()
	session := func(d *desk, in workflows.TurnInput, change func(*campaign.Session)) {
		_, err := d.store.UpdateSession(d.t.Context(), in.SessionID, func(s *campaign.Session) error { change(s); return nil })
		require.NoError(d.t, err)
	}
	agent := func(d *desk, change func(*campaign.Agent)) {
		_, err := d.store.UpdateAgent(d.t.Context(), "ag", func(a *campaign.Agent) error { change(a); return nil })
		require.NoError(d.t, err)
	}
	for _, tc := range []struct {
		name   string
		change func(*desk, *echo, workflows.TurnInput)
		want   campaign.TurnOutcome
	}{
		{"the agent is stopped", func(d *desk, _ *echo, _ workflows.TurnInput) {
			agent(d, func(a *campaign.Agent) { a.Status = campaign.AgentStopped })
		}, campaign.TurnOutcome{Held: &campaign.Hold{Cause: campaign.HeldAgentStopped, Ref: "ag", Since: now}}},
		{
			"the campaign is paused", func(d *desk, _ *echo, _ workflows.TurnInput) { d.campaign(campaign.Paused) },
			campaign.TurnOutcome{Held: &campaign.Hold{Cause: campaign.HeldCampaign, Ref: "cp", Since: now}},
		},
		{"a person has the session", func(d *desk, _ *echo, in workflows.TurnInput) {
			session(d, in, func(s *campaign.Session) { s.Mode = campaign.ModeHuman })
		}, campaign.TurnOutcome{}},
		{"the session is closed", func(d *desk, _ *echo, in workflows.TurnInput) {
			session(d, in, func(s *campaign.Session) { s.Status, s.Reason = campaign.SessionTimeout, "no_response" })
		}, campaign.TurnOutcome{Closed: campaign.SessionTimeout, Reason: "no_response"}},
		{"the agent cannot answer", func(_ *desk, e *echo, _ workflows.TurnInput) {
			e.err = &agents.Failure{Permanent: true, Err: errors.New("there is no state ask")}
		}, campaign.TurnOutcome{Error: "there is no state ask"}},
		{"a person takes the session over while the agent thinks", func(d *desk, e *echo, in workflows.TurnInput) {
			e.answer = agents.Answer{End: campaign.SessionCompleted, Results: campaign.Dict{"n": []byte("1")}}
			e.meanwhile = func() { session(d, in, func(s *campaign.Session) { s.Mode = campaign.ModeHuman }) }
		}, campaign.TurnOutcome{Content: "John, turn 1, one, two", End: campaign.SessionCompleted, Late: true}},
		{"who then cannot answer", func(d *desk, e *echo, in workflows.TurnInput) {
			e.err = &agents.Failure{Permanent: true, Err: errors.New("there is no state ask")}
			e.meanwhile = func() { session(d, in, func(s *campaign.Session) { s.Mode = campaign.ModeHuman }) }
		}, campaign.TurnOutcome{Error: "there is no state ask", Late: true}},
		{"the session is closed while the agent thinks", func(d *desk, e *echo, in workflows.TurnInput) {
			e.meanwhile = func() { session(d, in, func(s *campaign.Session) { s.Status = campaign.SessionTimeout }) }
		}, campaign.TurnOutcome{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, e, in := parlour(t)
			tc.change(d, e, in)
			out, err := takeTurn(d, in)
			require.NoError(t, err)
			require.Equal(t, tc.want, out)
			s, err := d.store.Session(t.Context(), in.SessionID)
			require.NoError(t, err)
			require.Len(t, s.Messages, 3, "nothing was said")
			if tc.want.Held != nil {
				held, err := d.store.Holds(t.Context(), tc.want.Held.Cause, tc.want.Held.Ref, "", 10)
				require.NoError(t, err)
				require.Len(t, held, 1, "a release finds it")
			}
		})
	}
}

func TestATurnThatDidNotReachTheAgentIsRepeated(t *testing.T) {
	t.Parallel()
	d, e, in := parlour(t)
	e.err = &agents.Failure{Err: errors.New("connection refused")}
	_, err := takeTurn(d, in)
	require.ErrorContains(t, err, "connection refused")
	e.err = nil
	out, err := takeTurn(d, in)
	require.NoError(t, err)
	require.Equal(t, "John, turn 2, one, two", out.Content)
}

func TestAnAgentOpensTheSessionWhereNothingIsWritten(t *testing.T) {
	t.Parallel()
	d, e, _ := parlour(t)
	ctx := t.Context()
	e.answer = agents.Answer{State: "asked"}
	_, err := d.store.CreateStage(ctx, campaign.Stage{ID: "st_tg", CampaignID: "cp", Name: "Telegram", Weight: 1, Delivery: campaign.Delivery{Channel: campaign.SIP, Agent: "ag"}})
	require.NoError(t, err)
	in := workflows.SendInput{
		CampaignID: "cp", ContactID: d.contact.ID, Communication: campaign.Communication{ID: d.contact.ID + "-9", Name: "call", StageID: "st_tg", StageName: "Telegram"},
		Verdict: campaign.Verdict{Outcome: campaign.GateGo, Alternative: "default", Channel: campaign.SIP, Queue: workflows.QueueOutbox},
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Second) // what a slow agent leaves of an attempt
	defer cancel()
	_, err = d.Activities.Send(short, in)
	require.ErrorContains(t, err, "what it says is sent next", "the provider may need all its time")
	for range 2 {
		out, err := d.Activities.Send(ctx, in)
		require.NoError(t, err)
		require.Equal(t, campaign.SendSent, out.Outcome)
		require.Equal(t, campaign.TurnsHere, out.Turns)
	}
	s, err := d.store.Session(ctx, campaign.SessionID(in.Communication.ID))
	require.NoError(t, err)
	require.Equal(t, "asked", s.State)
	require.Len(t, s.Messages, 1)
	require.Equal(t, "John, turn 1", s.Messages[0].Content, "the same greeting for every attempt")
}

func TestWhatAnAgentDecidesInItsOpeningTurn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer agents.Answer
		said   bool
		mode   campaign.Mode
	}{
		{"a hand-off after a word", agents.Answer{Content: "One moment.", HandOff: true, Reason: "asked"}, true, campaign.ModeHuman},
		{"a hand-off without a word", agents.Answer{HandOff: true, Reason: "the model refused to answer"}, false, campaign.ModeHuman},
		{"an end, with what it has found out", agents.Answer{Content: "Wrong number.", End: campaign.SessionNotFound, Reason: "no such person", Results: campaign.Dict{"reached": []byte(`false`)}}, true, campaign.ModeAI},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, e, _ := parlour(t)
			ctx := t.Context()
			e.answer, e.exactly = c.answer, true
			_, err := d.store.CreateStage(ctx, campaign.Stage{ID: "st_tg", CampaignID: "cp", Name: "Telegram", Weight: 1, Delivery: campaign.Delivery{Channel: campaign.SIP, Agent: "ag"}})
			require.NoError(t, err)
			in := workflows.SendInput{
				CampaignID: "cp", ContactID: d.contact.ID, Communication: campaign.Communication{ID: d.contact.ID + "-9", Name: "call", StageID: "st_tg", StageName: "Telegram"},
				Verdict: campaign.Verdict{Outcome: campaign.GateGo, Alternative: "default", Channel: campaign.SIP, Queue: workflows.QueueOutbox},
			}
			for range 2 {
				out, err := d.Activities.Send(ctx, in)
				require.NoError(t, err)
				require.Equal(t, campaign.SendSent, out.Outcome)
				require.Equal(t, !c.said, out.Silent)
				made := out.Opened
				require.NotNil(t, made)
				require.Equal(t, []any{c.answer.End, c.answer.HandOff, c.answer.Reason, len(c.answer.Results)}, []any{made.End, made.HandOff, made.Reason, len(made.Results)})
			}
			s, err := d.store.Session(ctx, campaign.SessionID(in.Communication.ID))
			require.NoError(t, err)
			require.Equal(t, c.mode, s.Mode)
			require.Equal(t, c.mode == campaign.ModeHuman, s.WaitingSince != nil)
			require.Equal(t, c.said, len(s.Messages) == 1)
			require.Len(t, s.Results, len(c.answer.Results))
		})
	}
}

func TestAFallbackIsTakenWhenTheProviderRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := t.Context()
	gate := func(tried ...string) campaign.Verdict {
		v, err := d.Gate(ctx, workflows.GateInput{Contact: d.contact, CommunicationID: d.contact.ID + "-wa", Tried: tried, Now: now})
		require.NoError(t, err)
		return v
	}
	_, err := d.store.UpdateStage(ctx, "cp", "st_wa", func(s *campaign.Stage) error {
		mail := campaign.Delivery{Channel: campaign.EmailNotification, Integration: "in", Subject: "Hello", Template: "You owe."}
		telegram := campaign.Delivery{Channel: campaign.Telegram, Agent: "ag"}
		s.Alternatives = []campaign.Alternative{{Label: "telegram", Fallback: true, Delivery: telegram}, {Label: "mail", Fallback: true, Delivery: mail}}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "default", gate().Alternative)
	v := gate("default")
	require.Equal(t, [2]string{"mail", string(campaign.EmailNotification)}, [2]string{v.Alternative, string(v.Channel)}, "telegram has no chat")
	require.Equal(t, campaign.GateSkipped, gate("default", "mail").Outcome)

	d.Mode = activities.ModeLive
	v = gate("default")
	require.Equal(t, workflows.QueueSendPrefix+"in", v.Queue)
}

func TestAnAgentAtAPrivateAddressIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	d, _, in := parlour(t)
	d.Agents, d.HTTP = agents.NewRegistry(webhook.Kind{}), channels.NewHTTPClient(false)
	_, err := d.store.UpdateAgent(t.Context(), "ag", func(a *campaign.Agent) error {
		a.Kind, a.Settings = campaign.AgentWebhook, map[string]string{"url": "http://127.0.0.1:1/turns"}
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, d.store.SetAgentSecrets(t.Context(), "ag", map[string]campaign.Secret{"signing_key": "a key"}))
	in.Local = false
	out, err := takeTurn(d, in)
	require.NoError(t, err)
	require.Contains(t, out.Error, "connect to 127.0.0.1: a private address")
}
