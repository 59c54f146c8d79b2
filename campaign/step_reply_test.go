package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func (st *story) replies(session, id string, ordered bool) {
	st.t.Helper()
	st.happens(campaign.Event{Kind: campaign.EventAnswer, SessionID: session, MessageID: id, Author: campaign.AuthorOperator, Content: id, Actor: "key bob", Ordered: ordered})
}

func (st *story) replySettled(outcome string) string {
	st.t.Helper()
	c := st.asked(campaign.CommandReply)
	st.step(campaign.Event{Kind: campaign.EventReplySent, CommunicationID: c.CommunicationID, MessageID: c.MessageID, Sent: &campaign.SendOutcome{Outcome: outcome, Reason: "r"}})
	return c.MessageID
}

func TestWhatIsSaidInASessionLeavesInOrder(t *testing.T) {
	t.Run("the next when the one before is settled, whatever became of it", func(t *testing.T) {
		st, session := talk(t)
		all := []string{"one", "two", "three", "four"}
		for _, id := range all {
			st.replies(session, id, true)
		}
		require.Equal(t, all, st.s.Replies)
		for i, outcome := range []string{campaign.SendSent, campaign.SendFailed, campaign.SendUnknown, campaign.SendAttention} {
			require.Equal(t, []campaign.CommandKind{campaign.CommandReply}, st.kinds())
			require.False(t, st.s.Quiet())
			require.Equal(t, all[i], st.replySettled(outcome))
		}
		st.nothingAsked()
		require.Empty(t, st.s.Line)
		require.True(t, st.s.Quiet())
	})

	t.Run("sessions do not wait for each other", func(t *testing.T) {
		st, session := talk(t)
		st.wake()
		st.closed()
		st.decided(campaign.Aggregation, campaign.Change{})
		st.writes(1, session, "sorry, late")
		late := st.asked(campaign.CommandOpenLate).SessionID
		st.turn(campaign.TurnOutcome{MessageID: "trn_1", Content: "Hello", Ordered: true})
		require.Equal(t, "trn_1", st.asked(campaign.CommandReply).MessageID)
		st.decided(campaign.AgentAnswer, campaign.Change{})
		st.replies(late, "two", true)
		st.nothingAsked()

		next := begin(t, "Chat", "Chat")
		one := next.converse()
		next.after(day)
		two := next.converse()
		next.replies(one, "one", true)
		next.replies(two, "two", true)
		require.Equal(t, []campaign.CommandKind{campaign.CommandReply, campaign.CommandReply}, next.kinds())
	})

	t.Run("an agent's end waits for nobody, and what it said before still leaves", func(t *testing.T) {
		st, session := talk(t, "hello")
		st.replies(session, "one", true)
		st.turn(campaign.TurnOutcome{MessageID: "trn_1", Content: "Goodbye", Ordered: true, End: campaign.SessionCompleted})
		st.closed()
		st.decided(campaign.AgentAnswer, campaign.Change{})
		st.decided(campaign.Aggregation, moved("Paid", campaign.OutcomeSuccess))
		st.contact(campaign.ContactActive)
		require.Equal(t, "one", st.replySettled(campaign.SendSent))
		require.Equal(t, "trn_1", st.replySettled(campaign.SendSent))
		st.contact(campaign.ContactCompleted)
	})

	t.Run("and when the contact is stopped", func(t *testing.T) {
		st, session := talk(t)
		st.replies(session, "one", true)
		st.replies(session, "two", true)
		st.operator(campaign.Operation{Action: campaign.OperateStop})
		st.closed()
		require.Equal(t, "one", st.replySettled(campaign.SendSent))
		require.Equal(t, "two", st.replySettled(campaign.SendSent))
		st.contact(campaign.ContactStopped)
		require.True(t, st.s.Done())
	})

	t.Run("answers of older histories go side by side, as they went", func(t *testing.T) {
		st, session := talk(t)
		st.replies(session, "one", false)
		st.replies(session, "two", false)
		require.Equal(t, []campaign.CommandKind{campaign.CommandReply, campaign.CommandReply}, st.kinds())
	})
}
