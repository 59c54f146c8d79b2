package campaign_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// replied settles the reply that is being sent.
func (st *story) replied(outcome, reason string) campaign.Command {
	st.t.Helper()
	c := st.asked(campaign.CommandReply)
	st.step(campaign.Event{Kind: campaign.EventReplySent, CommunicationID: c.CommunicationID, MessageID: c.MessageID, Sent: &campaign.SendOutcome{Outcome: outcome, Reason: reason}})
	return c
}

// attends requires that a person is asked for the reason, about the message.
func (st *story) attends(reason, messageID string) {
	st.t.Helper()
	st.contact(campaign.ContactNeedsAttention)
	require.Equal(st.t, reason, st.s.Contact.Attention.Reason)
	require.Equal(st.t, messageID, st.s.Contact.Attention.MessageID)
}

func TestAnAnswerOfUnknownOutcomeIsBeforeAPerson(t *testing.T) {
	unknown := func(t *testing.T) (*story, string) {
		t.Helper()
		st, session := talk(t)
		st.replies(session, "one", true)
		st.replied(campaign.SendUnknown, "connection")
		st.attends("send_unknown", "one")
		require.Equal(t, session, st.s.Contact.Attention.SessionID)
		return st, session
	}

	t.Run("and the conversation goes on", func(t *testing.T) {
		st, session := unknown(t)
		st.replies(session, "two", true)
		st.replied(campaign.SendSent, "")
		st.writes(1, session, "hello")
		st.turn(campaign.TurnOutcome{MessageID: "trn_1", Content: "Hello", Ordered: true})
		st.replied(campaign.SendSent, "")
		st.decided(campaign.AgentAnswer, campaign.Change{})
		st.attends("send_unknown", "one")
		st.wake()
		st.closed()
		st.decided(campaign.Aggregation, moved("Paid", campaign.OutcomeSuccess))
		st.attends("send_unknown", "one")
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		st.contact(campaign.ContactCompleted)
		require.Nil(t, st.s.Contact.Attention)
	})

	t.Run("who has it sent again as a new attempt, after what is being said", func(t *testing.T) {
		st, session := unknown(t)
		st.replies(session, "two", true)
		st.operator(campaign.Operation{Action: campaign.OperateRetry, Actor: "bob"})
		st.contact(campaign.ContactActive)
		require.Equal(t, "two", st.replied(campaign.SendSent, "").MessageID)
		c := st.replied(campaign.SendUnknown, "connection")
		require.Equal(t, "one", c.MessageID)
		require.Equal(t, 1, c.Attempt)
		st.attends("send_unknown", "one")
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		c = st.replied(campaign.SendFailed, "invalid")
		require.Equal(t, 2, c.Attempt)
		st.attends(campaign.ReasonAnswerFailed, "one")
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		st.replied(campaign.SendSent, "")
		st.contact(campaign.ContactActive)
		st.nothingAsked()
	})

	t.Run("until its provider reports", func(t *testing.T) {
		for _, report := range []string{campaign.ReportSent, campaign.ReportDelivered, campaign.ReportFailed, campaign.ReportBounced} {
			st, session := unknown(t)
			sent := st.s.Contact.Counts.Sent
			st.happens(campaign.Event{Kind: campaign.EventDelivery, SessionID: session, CommunicationID: id(1), MessageID: "one", Delivery: report})
			st.contact(campaign.ContactActive)
			if report == campaign.ReportSent || report == campaign.ReportDelivered {
				sent++
			}
			require.Equal(t, sent, st.s.Contact.Counts.Sent)
			require.Error(t, st.s.CanOperate(&campaign.Operation{Action: campaign.OperateRetry}))
		}
	})

	t.Run("beside what keeps the contact waiting, which is decided first", func(t *testing.T) {
		st, session := unknown(t)
		st.writes(1, session, "hello")
		st.turn(campaign.TurnOutcome{Error: "no such model"})
		st.attends("agent_error", "")
		require.Len(t, st.s.Contact.Attention.More, 1)
		resumed := campaign.NewState(through(t, st.s.Contact))
		require.Equal(t, st.s.Unheard, resumed.Unheard, "a lost run loses neither")
		require.Equal(t, campaign.TroubleTurn, resumed.Trouble.Kind)
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		st.attends("send_unknown", "one")
		resumed = campaign.NewState(through(t, st.s.Contact))
		require.Equal(t, st.s.Unheard, resumed.Unheard)
		require.Nil(t, resumed.Trouble)
		st.operator(campaign.Operation{Action: campaign.OperateMove, StageName: "Chat"})
		st.contact(campaign.ContactActive)
	})

	t.Run("unless the contact is stopped", func(t *testing.T) {
		st, _ := unknown(t)
		st.operator(campaign.Operation{Action: campaign.OperateStop})
		st.closed()
		st.contact(campaign.ContactStopped)
	})

	t.Run("of older histories nobody", func(t *testing.T) {
		st, session := talk(t)
		st.replies(session, "one", false)
		st.replied(campaign.SendUnknown, "connection")
		st.contact(campaign.ContactActive)
	})
}

func TestAnAgentsAnswerThatFailsIsBeforeAPerson(t *testing.T) {
	for _, c := range []struct {
		name, outcome, reason string
		asked                 bool
	}{
		{"refused by the provider", campaign.SendFailed, "invalid", true},
		{"against a rule of the provider", campaign.SendFailed, "policy", true},
		{"given up after a day", campaign.SendAttention, "send_failed", true},
		{"of who wants no more messages", campaign.SendFailed, "opt_out", false},
		{"to no such address", campaign.SendFailed, "recipient", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, session := talk(t, "hello")
			st.turn(campaign.TurnOutcome{MessageID: "trn_1", Content: "Hello", Ordered: true})
			st.decided(campaign.AgentAnswer, campaign.Change{})
			st.replied(c.outcome, c.reason)
			if !c.asked {
				st.contact(campaign.ContactActive)
				return
			}
			st.attends(campaign.ReasonAnswerFailed, "trn_1")
			st.replies(session, "two", true)
			st.replied(c.outcome, c.reason)
			require.Empty(t, st.s.Contact.Attention.More, "an operator sees it in the session")
		})
	}
}

// through is a contact as the store gives it back.
func through(t *testing.T, c campaign.Contact) (out campaign.Contact) {
	t.Helper()
	b, err := json.Marshal(c)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}
