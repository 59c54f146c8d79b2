package campaign_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func (st *story) person(session, action string) {
	st.t.Helper()
	st.hands(session, action, func(e *campaign.Event) { e.Mode = campaign.ModeHuman })
}

// back gives the session back to its agent; last said the last word.
func (st *story) back(session string, last campaign.Author) {
	st.t.Helper()
	st.hands(session, campaign.PersonHandBack, func(e *campaign.Event) {
		e.Mode, e.Author = campaign.ModeAI, last
		if last == campaign.AuthorContact {
			e.MessageID = e.ID
		}
	})
}

// comesBack is the result of a turn that was asked for before.
func (st *story) comesBack(c campaign.Command, out campaign.TurnOutcome) {
	st.t.Helper()
	st.step(campaign.Event{Kind: campaign.EventTurned, CommunicationID: c.CommunicationID, SessionID: c.SessionID, MessageID: c.MessageID, Turn: &out})
}

// What an agent makes of a turn during which a person took the session over
// changes nothing for the person: not who has it, not when it ends, not how it stands.
func TestATurnThatAPersonHasOvertaken(t *testing.T) {
	for _, tc := range []struct {
		name string
		out  campaign.TurnOutcome
		says string // "" is nothing
	}{
		{
			"an answer is not sent",
			campaign.TurnOutcome{MessageID: "trn_in-hello", Content: "Good morning"},
			"The agent's answer came after a person had taken the conversation over and was not sent: Good morning",
		},
		{
			"nor one that the store has refused",
			campaign.TurnOutcome{Content: "Good morning", Late: true},
			"The agent's answer came after a person had taken the conversation over and was not sent: Good morning",
		},
		{"a hold holds nothing", campaign.TurnOutcome{Held: &campaign.Hold{Cause: campaign.HeldAgentStopped, Ref: "ag_1"}}, ""},
		{
			"an error is nobody's trouble",
			campaign.TurnOutcome{Error: "no credit left"},
			"The agent could not answer in about Chat, which a person had taken over: no credit left",
		},
		{
			"an end ends nothing",
			campaign.TurnOutcome{End: campaign.SessionCompleted},
			"The agent ended about Chat after a person had taken it over: it goes on",
		},
		{
			"nor with last words",
			campaign.TurnOutcome{MessageID: "trn_in-hello", Content: "Goodbye", End: campaign.SessionCompleted},
			"The agent's answer came after a person had taken the conversation over and was not sent: Goodbye",
		},
		{"that the store has closed it was before", campaign.TurnOutcome{Closed: campaign.SessionTimeout, Reason: "no_response"}, ""},
		{
			"a hand-off is told",
			campaign.TurnOutcome{HandOff: true, Reason: "asked for a person"},
			"The agent hands over to a person: asked for a person",
		},
		{"silence is silence", campaign.TurnOutcome{}, ""},
	} {
		for _, action := range []string{campaign.PersonHandOff, campaign.PersonClaim, campaign.PersonTakeOver} {
			t.Run(tc.name+" after "+action, func(t *testing.T) {
				st, session := talk(t, "hello")
				turn := st.asked(campaign.CommandTurn)
				st.after(time.Hour)
				st.person(session, action)
				due := st.now.Add(3 * day)
				require.Equal(t, due, st.s.Open[0].Deadline)
				at, _, ok := st.s.Wake()
				require.True(t, ok, "its time runs, whatever becomes of the turn")
				require.Equal(t, due, at)

				st.now = st.now.Add(time.Hour)
				told := len(st.s.Decisions)
				st.comesBack(turn, tc.out)
				st.nothingAsked()
				st.contact(campaign.ContactActive)
				require.Nil(t, st.s.Contact.Held)
				require.Nil(t, st.s.Contact.Attention)
				require.Len(t, st.s.Open, 1)
				require.Equal(t, due, st.s.Open[0].Deadline)
				require.Empty(t, st.s.Open[0].Overtaken)
				said := st.timeline()[told:]
				if tc.says == "" {
					require.Empty(t, said)
				} else {
					require.Equal(t, []string{tc.says}, said)
				}
				if tc.out.MessageID != "" {
					require.Equal(t, tc.out.MessageID, st.s.Decisions[told].Data["message_id"], "the store says of the message that it was not sent")
				}
				st.wake()
				require.Equal(t, campaign.SessionUserTimeout, st.closed().Status)
			})
		}
	}

	t.Run("it may still be under way when the session ends", func(t *testing.T) {
		st, session := talk(t, "hello")
		turn := st.asked(campaign.CommandTurn)
		st.person(session, campaign.PersonHandOff)
		st.wake()
		st.closed()
		st.comesBack(turn, campaign.TurnOutcome{MessageID: "trn_in-hello", Content: "Good morning"})
		require.Equal(t, "session_ended", st.told(campaign.DecisionFailed).Reason)
	})

	t.Run("what the agent had found out by then is kept", func(t *testing.T) {
		st, session := talk(t, "hello")
		turn := st.asked(campaign.CommandTurn)
		st.person(session, campaign.PersonHandOff)
		st.comesBack(turn, campaign.TurnOutcome{Results: campaign.Dict{"name": raw(`"Ada"`)}})
		st.wake()
		require.Equal(t, campaign.Dict{"name": raw(`"Ada"`)}, st.closed().Results)
	})

	t.Run("the run does not begin anew while it is under way", func(t *testing.T) {
		st, session := talk(t, "hello")
		turn := st.asked(campaign.CommandTurn)
		st.person(session, campaign.PersonHandOff)
		require.False(t, st.s.Quiet())
		st.comesBack(turn, campaign.TurnOutcome{})
		require.True(t, st.s.Quiet())
	})

	t.Run("a claim settles what a turn of older days has left behind", func(t *testing.T) {
		st, session := talk(t, "hello")
		turn := st.asked(campaign.CommandTurn)
		st.hands(session, campaign.PersonHandOff) // an event of before
		st.comesBack(turn, campaign.TurnOutcome{Error: "no credit left"})
		st.contact(campaign.ContactNeedsAttention)
		st.person(session, campaign.PersonClaim)
		st.contact(campaign.ContactActive)
		st.wake()
		st.closed()
	})

	t.Run("that the store refused it may be known before the change of hands is", func(t *testing.T) {
		st, session := talk(t, "hello")
		st.turn(campaign.TurnOutcome{Content: "Good morning", Late: true})
		require.Equal(t, "taken_over", st.told(campaign.DecisionFailed).Reason)
		st.person(session, campaign.PersonHandOff)
		st.nothingAsked()
		st.contact(campaign.ContactActive)
	})
}

func TestAnAgentGetsASessionBackThatItsTurnHasOutlived(t *testing.T) {
	late := campaign.TurnOutcome{MessageID: "trn_in-hello", Content: "Good morning"}

	t.Run("what is unanswered is a new turn, and the old one's answer is not sent", func(t *testing.T) {
		st, session := talk(t, "hello")
		old := st.asked(campaign.CommandTurn)
		st.person(session, campaign.PersonHandOff)
		st.back(session, campaign.AuthorContact)
		next := st.asked(campaign.CommandTurn)
		require.NotEqual(t, old.MessageID, next.MessageID)
		st.comesBack(old, late)
		st.nothingAsked()
		st.comesBack(next, campaign.TurnOutcome{MessageID: "trn_2", Content: "Hello again"})
		require.Equal(t, "trn_2", st.asked(campaign.CommandReply).MessageID)
	})

	t.Run("after the person's last word it is not sent either", func(t *testing.T) {
		st, session := talk(t, "hello")
		old := st.asked(campaign.CommandTurn)
		st.person(session, campaign.PersonHandOff)
		st.back(session, campaign.AuthorOperator)
		st.comesBack(old, late)
		st.nothingAsked()
	})

	t.Run("with nothing said since, its answer still fits", func(t *testing.T) {
		st, session := talk(t, "hello")
		old := st.asked(campaign.CommandTurn)
		st.person(session, campaign.PersonHandOff)
		st.back(session, campaign.AuthorAgent)
		st.nothingAsked()
		st.comesBack(old, late)
		require.Equal(t, "trn_in-hello", st.asked(campaign.CommandReply).MessageID)
	})

	t.Run("turns go on", func(t *testing.T) {
		st, session := talk(t, "hello")
		old := st.asked(campaign.CommandTurn)
		st.person(session, campaign.PersonHandOff)
		st.back(session, campaign.AuthorOperator)
		st.writes(1, session, "and now?")
		next := st.asked(campaign.CommandTurn)
		require.Equal(t, "in-and now?", next.MessageID, "nobody waits for the old one")
		st.comesBack(old, late)
		st.comesBack(next, campaign.TurnOutcome{MessageID: "trn_2", Content: "Now this"})
		require.Equal(t, "trn_2", st.asked(campaign.CommandReply).MessageID)
	})
}
