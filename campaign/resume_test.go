package campaign_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestARunCanBeginInTheMiddleOfAContactsLife(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	earlier := now.Add(-time.Hour)
	comm := func(status campaign.CommunicationStatus, tune ...func(*campaign.Communication)) campaign.Contact {
		m := campaign.Communication{ID: "ct_1-1", Name: "Talk", StageName: "Talk", Channel: campaign.Email, Timeout: campaign.Duration(2 * time.Hour), Status: campaign.StatusAt{Status: status, At: earlier}}
		for _, f := range tune {
			f(&m)
		}
		return campaign.Contact{ID: "ct_1", Status: campaign.ContactActive, Communications: []campaign.Communication{m}}
	}
	session := func(status campaign.SessionStatus) []campaign.SessionBrief {
		return []campaign.SessionBrief{{ID: "ss_1", CommunicationID: "ct_1-1", Status: status, At: earlier, Results: campaign.Dict{"OutcomeStatus": json.RawMessage(`"X"`)}}}
	}
	t.Run("an opening that was being sent is planned anew", func(t *testing.T) {
		t.Parallel()
		s := campaign.ResumeState(comm(campaign.CommunicationStarted), session(campaign.SessionOpen), nil, now)
		require.Equal(t, campaign.CommunicationPlanned, s.Contact.Communications[0].Status.Status)
		require.Empty(t, s.Open)
	})
	t.Run("an open session waits on from its last message", func(t *testing.T) {
		t.Parallel()
		s := campaign.ResumeState(comm(campaign.CommunicationSent), session(campaign.SessionOpen), nil, now)
		require.Equal(t, earlier.Add(2*time.Hour), s.Open[0].Deadline)
	})
	t.Run("a session that ended without aggregation is aggregated", func(t *testing.T) {
		t.Parallel()
		s := campaign.ResumeState(comm(campaign.CommunicationReplied), session(campaign.SessionCompleted), nil, now)
		require.Len(t, s.Ended, 1)
		require.Equal(t, campaign.CommunicationCompleted, s.Ended[0].Outcome)
		require.NotEmpty(t, s.Ended[0].Results)
	})
	t.Run("a notification waits on, or is aggregated if it does not wait", func(t *testing.T) {
		t.Parallel()
		notice := func(m *campaign.Communication) { m.Channel = campaign.EmailNotification }
		require.Len(t, campaign.ResumeState(comm(campaign.CommunicationSent, notice), nil, nil, now).Open, 1)
		require.Len(t, campaign.ResumeState(comm(campaign.CommunicationSent, notice, func(m *campaign.Communication) { m.Timeout = 0 }), nil, nil, now).Ended, 1)
	})
	t.Run("a strategy's failure is retried as such", func(t *testing.T) {
		t.Parallel()
		c := comm(campaign.CommunicationReplied)
		c.Attention = &campaign.Attention{Reason: "strategy_error", CommunicationID: "ct_1-1"}
		s := campaign.ResumeState(c, session(campaign.SessionCompleted), nil, now)
		cmds := s.Step(campaign.Event{Kind: campaign.EventOperate, Operation: &campaign.Operation{Action: campaign.OperateRetry}}, now)
		require.Len(t, cmds, 1)
		require.Equal(t, campaign.Aggregation, cmds[0].Type)
	})
	t.Run("a final stage that was reached still ends the contact after its last message", func(t *testing.T) {
		t.Parallel()
		c := comm(campaign.CommunicationPlanned)
		c.CurrentStage = "End"
		s := campaign.ResumeState(c, nil, &campaign.FinalStage{Name: "End"}, now)
		require.NotNil(t, s.Final)
	})
}
