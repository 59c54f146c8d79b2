package campaign_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func (st *story) hands(session, action string, tune ...func(*campaign.Event)) {
	st.t.Helper()
	st.events++
	e := campaign.Event{ID: "pn-" + action + strconv.Itoa(st.events), Kind: campaign.EventPerson, SessionID: session, Action: action, Actor: "key bob"}
	for _, f := range tune {
		f(&e)
	}
	st.step(e)
}

// timeline is what the decisions say, oldest first.
func (st *story) timeline() []string {
	var said []string
	for _, d := range st.s.Decisions {
		said = append(said, d.Summary)
	}
	return said
}

func TestAPersonTakesAConversationOver(t *testing.T) {
	t.Run("the agent is not asked any more, and its trouble is not the contact's", func(t *testing.T) {
		st, session := talk(t, "hello")
		st.turn(campaign.TurnOutcome{Error: "no credit left"})
		require.Equal(t, campaign.ContactNeedsAttention, st.s.Contact.Status)
		st.hands(session, campaign.PersonHandOff, func(e *campaign.Event) { e.Reason = "the model is down" })
		require.Equal(t, campaign.ContactActive, st.s.Contact.Status)
		st.nothingAsked()
		require.Contains(t, st.timeline(), "key bob takes the conversation over from the agent in about Chat: the model is down")
	})

	t.Run("the wait begins anew, and every hand is on the timeline", func(t *testing.T) {
		st, session := talk(t)
		st.now = st.now.Add(2 * day)
		st.hands(session, campaign.PersonHandOff)
		require.Equal(t, st.now.Add(3*day), st.s.Open[0].Deadline)
		for _, action := range []string{campaign.PersonClaim, campaign.PersonUnclaim} {
			st.hands(session, action)
		}
		st.hands(session, campaign.PersonTakeOver, func(e *campaign.Event) { e.Reason = "key eve" })
		for _, text := range []string{"key bob handles about Chat", "key bob lays about Chat back into the inbox", "key bob handles about Chat in place of key eve"} {
			require.Contains(t, st.timeline(), text)
		}
		st.nothingAsked()
	})

	t.Run("given back, the agent answers what is unanswered", func(t *testing.T) {
		st, session := talk(t, "hello")
		st.turn(campaign.TurnOutcome{}) // a person has it by then
		st.hands(session, campaign.PersonHandBack, func(e *campaign.Event) { e.MessageID = e.ID })
		c := st.asked(campaign.CommandTurn)
		require.Contains(t, c.MessageID, "pn-hand_back")
	})

	t.Run("given back with the last word said, it waits for the contact", func(t *testing.T) {
		st, session := talk(t)
		st.hands(session, campaign.PersonHandBack)
		st.nothingAsked()
	})

	t.Run("who handles it is given their time", func(t *testing.T) {
		st, _ := talk(t)
		st.now = st.now.Add(4 * day)
		st.step(campaign.Event{Kind: campaign.EventTick})
		require.True(t, st.asked(campaign.CommandClose).Timeout)
		until := st.now.Add(10 * time.Minute)
		st.step(campaign.Event{Kind: campaign.EventClosed, Until: &until})
		require.Equal(t, until, st.s.Open[0].Deadline)
		st.nothingAsked()
		st.now = until
		st.step(campaign.Event{Kind: campaign.EventTick})
		st.asked(campaign.CommandClose)
		st.step(campaign.Event{Kind: campaign.EventClosed})
		require.Empty(t, st.s.Open)
	})

	t.Run("a reply that was given up after a day names its message", func(t *testing.T) {
		st, session := talk(t)
		st.happens(campaign.Event{Kind: campaign.EventAnswer, SessionID: session, MessageID: "ans_1", Author: campaign.AuthorOperator, Content: "Hello", Actor: "key bob"})
		c := st.asked(campaign.CommandReply)
		st.step(campaign.Event{Kind: campaign.EventReplySent, CommunicationID: c.CommunicationID, MessageID: c.MessageID, Sent: &campaign.SendOutcome{
			Outcome: campaign.SendAttention, Reason: "send_failed", Detail: "the integration is paused",
		}})
		d := st.told(campaign.DecisionFailed)
		require.Equal(t, "ans_1", d.Data["message_id"])
		require.Equal(t, "The answer could not be sent (the integration is paused)", d.Summary)
	})

	t.Run("a session that is over does not change hands", func(t *testing.T) {
		st, _ := talk(t)
		before := len(st.s.Decisions)
		st.hands("ss_none", campaign.PersonHandOff)
		require.Len(t, st.s.Decisions, before)
	})
}
