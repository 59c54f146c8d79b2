package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// A person takes a session over while its agent's turn is on its way back. Whatever
// the turn brings, the contact waits for the person, for the time of the stage, and
// ends as somebody who never got an answer.
func TestATurnComesBackToAPersonsSession(t *testing.T) {
	for _, tc := range []struct {
		name   string
		out    *campaign.TurnOutcome // instead of what the turn makes of it
		failed []string
	}{
		{name: "held, since the agent is stopped"},
		{
			name: "with an error", out: &campaign.TurnOutcome{Error: "no credit left"},
			failed: []string{"The agent could not answer in Talk, which a person had taken over: no credit left"},
		},
		{
			name: "with an answer that the store has", out: &campaign.TurnOutcome{MessageID: "trn_m1", Content: "Good morning"},
			failed: []string{"The agent's answer came after a person had taken the conversation over and was not sent: Good morning"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			ctx := t.Context()
			_, err := h.store.UpdateAgent(ctx, h.agent.ID, func(a *campaign.Agent) error {
				a.Kind, a.Settings = campaign.AgentWebhook, map[string]string{"url": "http://127.0.0.1:1/turns"}
				return nil
			})
			require.NoError(t, err)
			h.stage("Talk", campaign.Delivery{Channel: campaign.Email, Agent: "Anna", Subject: "Hello", Template: "Hello"},
				func(s *campaign.Stage) { s.SessionTimeout = campaign.Duration(72 * time.Hour) })
			h.strategy(campaign.DataLoad, planTalk)
			start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
			c := h.load(start, map[string]string{"object_id": "1", "external_id": "U1", "name": "Ann", "email": "ann@example.com"}, nil)
			session := campaign.SessionID(c.ID + "-1")
			var env *testsuite.TestWorkflowEnvironment
			h.turn = func(ctx context.Context, in workflows.TurnInput) (campaign.TurnOutcome, error) {
				out, err := h.acts.Turn(ctx, in)
				if in.Local {
					return out, err
				}
				require.NotNil(t, out.Held)
				if tc.out != nil {
					out = *tc.out
				}
				if out.MessageID != "" {
					require.NoError(t, h.store.AddMessage(ctx, campaign.Message{ID: out.MessageID, SessionID: session, Author: campaign.AuthorAgent, Content: out.Content, At: env.Now(), Delivery: "pending"}))
				}
				_, err = h.store.UpdateSession(ctx, session, func(v *campaign.Session) error { v.Mode = campaign.ModeHuman; return nil })
				require.NoError(t, err)
				h.tell(env, campaign.Event{ID: "pn_1", Kind: campaign.EventPerson, SessionID: session, Action: campaign.PersonHandOff, Actor: "key bob", Mode: campaign.ModeHuman}, nil)
				return out, nil
			}
			env = h.env(start)
			env.RegisterDelayedCallback(func() {
				_, err := h.store.UpdateAgent(ctx, h.agent.ID, func(a *campaign.Agent) error { a.Status = campaign.AgentStopped; return nil })
				require.NoError(t, err)
				h.tell(env, campaign.Event{ID: "m1", Kind: campaign.EventMessage, SessionID: session, MessageID: "m1", Content: "Hello", Author: campaign.AuthorContact},
					&campaign.Message{ID: "m1", SessionID: session, Author: campaign.AuthorContact, Content: "Hello", At: env.Now()})
			}, time.Hour)
			env.RegisterDelayedCallback(func() {
				now, err := h.store.Contact(ctx, h.camp.ID, c.ID)
				require.NoError(t, err)
				require.Equal(t, campaign.ContactActive, now.Status)
				require.Nil(t, now.Attention)
				require.Nil(t, now.Held)
				require.NotNil(t, now.NextActionAt)
				require.Equal(t, start.Add(73*time.Hour), now.NextActionAt.Truncate(time.Minute), "the stage's time since the person took over")
			}, 2*time.Hour)
			env.ExecuteWorkflow(workflows.TypeContact, workflows.ContactInput{CampaignID: h.camp.ID, ContactID: c.ID})
			require.True(t, env.IsWorkflowCompleted())
			require.NoError(t, env.GetWorkflowError())

			timeline, err := h.store.Decisions(ctx, c.ID)
			require.NoError(t, err)
			var failed []string
			for _, d := range timeline {
				if d.Kind == campaign.DecisionFailed {
					failed = append(failed, d.Summary)
				}
			}
			require.Equal(t, tc.failed, failed)
			v, err := h.store.Session(ctx, session)
			require.NoError(t, err)
			require.Equal(t, campaign.SessionUserTimeout, v.Status)
			for _, m := range v.Messages {
				if m.ID == "trn_m1" {
					require.Equal(t, [2]string{"failed", tc.failed[0]}, [2]string{m.Delivery, m.Reason})
				}
			}
			sent, err := h.store.Outbox(ctx, h.camp.ID, c.ID, store.Page{Limit: 50})
			require.NoError(t, err)
			require.Len(t, sent.Items, 1, "the opening")
		})
	}
}
