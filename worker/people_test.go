package worker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/workflows"
)

const planTalk = `
async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    contact.communications.append(Communication(name="Talk", stage_name="Talk"))
    return contact
`

// A reply whose integration stays paused is tried for a day; the test environment
// gives up after ten attempts. Then it has failed, and says why, while the session
// goes on.
func TestAReplyThatIsGivenUpHasFailed(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	require.NoError(t, h.store.CreateIntegration(ctx, campaign.Integration{ID: "in_mail", Name: "mail", Provider: "outbox"}))
	h.stage("Talk", campaign.Delivery{Channel: campaign.Email, Agent: "Anna", Integration: "mail", Subject: "Hello", Template: "Hello"},
		func(s *campaign.Stage) { s.SessionTimeout = campaign.Duration(72 * time.Hour) })
	h.strategy(campaign.DataLoad, planTalk)
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	c := h.load(start, map[string]string{"object_id": "1", "external_id": "U1", "name": "Ann", "email": "ann@example.com"}, nil)
	env := h.env(start)
	session := campaign.SessionID(c.ID + "-1")
	message := func() campaign.Message {
		v, err := h.store.Session(ctx, session)
		require.NoError(t, err)
		require.Len(t, v.Messages, 2)
		return v.Messages[1]
	}
	pause := func(on bool) {
		_, err := h.store.UpdateIntegration(ctx, "in_mail", func(i *campaign.Integration) error { i.Paused = on; return nil })
		require.NoError(t, err)
	}
	at := func(d time.Duration, do func()) { env.RegisterDelayedCallback(do, d) }
	at(time.Hour, func() {
		pause(true)
		_, err := h.store.UpdateSession(ctx, session, func(v *campaign.Session) error { v.Mode = campaign.ModeHuman; return nil })
		require.NoError(t, err)
		h.tell(env, campaign.Event{ID: "ans_1", Kind: campaign.EventAnswer, SessionID: session, MessageID: "ans_1", Content: "Hello?", Author: campaign.AuthorOperator, Actor: "key bob"},
			&campaign.Message{ID: "ans_1", SessionID: session, Author: campaign.AuthorOperator, Content: "Hello?", At: env.Now(), Delivery: "pending"})
	})
	at(65*time.Minute, func() {
		m := message()
		require.Equal(t, [2]string{"pending", "the integration is paused"}, [2]string{m.Delivery, m.Reason})
	})
	at(26*time.Hour, func() {
		m := message()
		require.Equal(t, [2]string{"failed", "the integration is paused"}, [2]string{m.Delivery, m.Reason})
		v, err := h.store.Session(ctx, session)
		require.NoError(t, err)
		require.Equal(t, campaign.SessionOpen, v.Status)
		pause(false)
		h.tell(env, campaign.Event{ID: "r1", Kind: campaign.EventResult, SessionID: session, Status: campaign.SessionResolvedByOperator, Actor: "key bob"}, nil)
	})
	env.ExecuteWorkflow(workflows.TypeContact, workflows.ContactInput{CampaignID: h.camp.ID, ContactID: c.ID})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	timeline, err := h.store.Decisions(ctx, c.ID)
	require.NoError(t, err)
	var failed, ended int
	for _, d := range timeline {
		t.Log(d.At.Format("2 Jan 15:04 ") + string(d.Kind) + ": " + d.Summary)
		switch {
		case d.Kind == campaign.DecisionFailed:
			failed++
			require.Equal(t, "The answer could not be sent (the integration is paused)", d.Summary)
		case d.Kind == campaign.DecisionSessionEnded:
			ended++
		}
	}
	require.Equal(t, [2]int{1, 1}, [2]int{failed, ended})
	require.Equal(t, "failed", message().Delivery)
}
