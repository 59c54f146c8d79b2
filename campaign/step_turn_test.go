package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// talk opens a session whose agent is given turns, and lets the contact write.
func talk(t *testing.T, texts ...string) (*story, string) {
	t.Helper()
	st := begin(t, "Chat")
	st.pass(campaign.Telegram)
	session := campaign.SessionID(id(1))
	st.sending(campaign.SendOutcome{Outcome: campaign.SendSent, SessionID: session, Timeout: campaign.Duration(3 * day), Turns: campaign.TurnsHere})
	for _, text := range texts {
		st.writes(1, session, text)
	}
	return st, session
}

func (st *story) turn(out campaign.TurnOutcome) campaign.Command {
	st.t.Helper()
	c := st.asked(campaign.CommandTurn)
	st.step(campaign.Event{Kind: campaign.EventTurned, CommunicationID: c.CommunicationID, SessionID: c.SessionID, MessageID: c.MessageID, Turn: &out})
	return c
}

func TestAnAgentTakesItsTurn(t *testing.T) {
	t.Run("its answer is sent and shown to agent_answer", func(t *testing.T) {
		st, session := talk(t, "hello")
		c := st.turn(campaign.TurnOutcome{MessageID: "trn_1", Content: "Good morning"})
		require.Equal(t, "in-hello", c.MessageID)
		require.Equal(t, campaign.TurnsHere, c.Turns)
		reply := st.asked(campaign.CommandReply)
		require.Equal(t, [2]string{session, "trn_1"}, [2]string{reply.SessionID, reply.MessageID})
		require.Equal(t, campaign.AgentAnswer, st.asked(campaign.CommandStrategy).Type)
	})
	t.Run("a burst is answered in one turn, and what comes during it in the next", func(t *testing.T) {
		st, session := talk(t, "one")
		st.writes(1, session, "two")
		st.writes(1, session, "three")
		require.Equal(t, []campaign.CommandKind{campaign.CommandTurn}, st.kinds())
		st.turn(campaign.TurnOutcome{})
		require.Equal(t, "in-three", st.turn(campaign.TurnOutcome{}).MessageID)
		st.nothingAsked()
	})
	t.Run("it ends the session with everything it has found out", func(t *testing.T) {
		st, session := talk(t, "hello")
		st.turn(campaign.TurnOutcome{Results: campaign.Dict{"name": raw(`"Ada"`)}})
		st.writes(1, session, "I pay")
		st.turn(campaign.TurnOutcome{MessageID: "trn_2", Content: "Thank you", End: campaign.SessionCompleted, Results: campaign.Dict{"OutcomeStatus": raw(`"PROMISE"`)}})
		st.asked(campaign.CommandReply)
		c := st.closed()
		require.Equal(t, campaign.SessionCompleted, c.Status)
		require.Equal(t, campaign.Dict{"name": raw(`"Ada"`), "OutcomeStatus": raw(`"PROMISE"`)}, c.Results)
		st.decided(campaign.AgentAnswer, campaign.Change{})
		require.Equal(t, c.Results, st.decided(campaign.Aggregation, campaign.Change{}).Ending.Results)
	})
	t.Run("what it has found out is kept when the contact falls silent", func(t *testing.T) {
		st, _ := talk(t, "hello")
		st.turn(campaign.TurnOutcome{Results: campaign.Dict{"name": raw(`"Ada"`)}})
		st.wake()
		require.Equal(t, campaign.Dict{"name": raw(`"Ada"`)}, st.closed().Results)
	})
	t.Run("while the contact waits for it, the session does not time out", func(t *testing.T) {
		st, _ := talk(t, "hello")
		st.after(30 * day)
		require.Equal(t, []campaign.CommandKind{campaign.CommandTurn}, st.kinds())
	})
	t.Run("while the contact is paused, none is taken", func(t *testing.T) {
		st, session := talk(t)
		st.operator(campaign.Operation{Action: campaign.OperatePause})
		st.writes(1, session, "hello")
		st.nothingAsked()
		st.operator(campaign.Operation{Action: campaign.OperateResume})
		st.turn(campaign.TurnOutcome{})
	})
	t.Run("a stopped agent's turn waits for its start", func(t *testing.T) {
		st, _ := talk(t, "hello")
		st.turn(campaign.TurnOutcome{Held: &campaign.Hold{Cause: campaign.HeldAgentStopped, Ref: "ag_1"}})
		st.nothingAsked()
		require.Equal(t, campaign.HeldAgentStopped, st.s.Contact.Held.Cause)
		require.Contains(t, st.s.Blockers(), "an answer in about Chat waits: the agent is not running")
		st.after(30 * day)
		st.nothingAsked()
		st.happens(campaign.Event{Kind: campaign.EventRelease, Release: &campaign.Release{Cause: campaign.HeldAgentStopped, Ref: "ag_1"}})
		require.Equal(t, "in-hello", st.turn(campaign.TurnOutcome{}).MessageID)
	})
	t.Run("one that cannot answer needs a person, who lets it try again", func(t *testing.T) {
		st, _ := talk(t, "hello")
		st.turn(campaign.TurnOutcome{Error: "there is no state ask"})
		st.contact(campaign.ContactNeedsAttention)
		require.Equal(t, "agent_error", st.s.Contact.Attention.Reason)
		st.nothingAsked()
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		require.Equal(t, "in-hello", st.turn(campaign.TurnOutcome{}).MessageID)
		st.contact(campaign.ContactActive)
	})
	t.Run("or who lets the message be", func(t *testing.T) {
		st, _ := talk(t, "hello")
		st.turn(campaign.TurnOutcome{Error: "there is no state ask"})
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		st.contact(campaign.ContactActive)
		st.nothingAsked()
		st.wake()
		st.closed()
	})
	t.Run("a session that a dead attempt has closed by time goes on with the message", func(t *testing.T) {
		st, session := talk(t)
		st.now = st.now.Add(3 * day)
		st.writes(1, session, "just in time")
		require.Equal(t, []string{session}, st.s.Reopened)
		st.turn(campaign.TurnOutcome{})
	})
	t.Run("nobody answers a contact who asks to be left alone", func(t *testing.T) {
		st, session := talk(t)
		st.happens(campaign.Event{Kind: campaign.EventMessage, CommunicationID: id(1), SessionID: session, MessageID: "in-stop", Content: "STOP", OptOut: true})
		c := st.closed()
		require.Equal(t, [2]string{string(campaign.SessionDeclined), "opt_out"}, [2]string{string(c.Status), c.Reason})
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationNoResponse)
		st.nothingAsked()
	})
	t.Run("a late word to stop opens nothing and asks nobody", func(t *testing.T) {
		st, session := talk(t)
		st.wake()
		st.closed()
		st.decided(campaign.Aggregation, campaign.Change{})
		stop := campaign.Event{Kind: campaign.EventMessage, CommunicationID: id(1), SessionID: session, MessageID: "in-stop", Content: "STOP", OptOut: true}
		st.happens(stop)
		require.Equal(t, "opt_out", st.told(campaign.DecisionOptOut).Reason)
		require.Empty(t, st.s.Open)
		st.nothingAsked()

		st.writes(1, session, "no, wait")
		late := st.asked(campaign.CommandOpenLate).SessionID
		st.turn(campaign.TurnOutcome{})
		stop.MessageID = "in-stop-2"
		st.happens(stop)
		c := st.closed()
		require.Equal(t, [2]string{late, string(campaign.SessionDeclined)}, [2]string{c.SessionID, string(c.Status)}, "the late session ends with it")
		st.decided(campaign.Aggregation, campaign.Change{})
		st.nothingAsked()
	})
	t.Run("a late reply is answered in its own session", func(t *testing.T) {
		st, session := talk(t)
		st.wake()
		st.closed()
		st.decided(campaign.Aggregation, campaign.Change{})
		st.writes(1, session, "sorry, late")
		late := st.asked(campaign.CommandOpenLate).SessionID
		require.Equal(t, late, st.turn(campaign.TurnOutcome{}).SessionID)
	})
	t.Run("a run that begins anew asks again", func(t *testing.T) {
		st, session := talk(t, "hello")
		s := campaign.ResumeState(st.s.Contact, []campaign.SessionBrief{{
			ID: session, CommunicationID: id(1), Status: campaign.SessionOpen, At: st.now, Turns: campaign.TurnsAway, Ask: "in-hello",
		}}, nil, st.now)
		again := &story{t: t, s: s, now: st.now}
		again.tick()
		require.Equal(t, "in-hello", again.turn(campaign.TurnOutcome{}).MessageID)
	})
}

func TestARefusedSendFallsBack(t *testing.T) {
	st := begin(t, "Chat")
	st.pass(campaign.Telegram)
	st.sending(campaign.SendOutcome{Outcome: campaign.SendRefused, Reason: "recipient", Detail: "no such number"})
	require.Equal(t, []string{campaign.DefaultLabel}, st.s.TriedOf(id(1)))
	require.Contains(t, st.told(campaign.DecisionFailed).Summary, "its fallback is next")
	st.status(1, campaign.CommunicationPlanned)
	st.gate(campaign.Verdict{Outcome: campaign.GateGo, Channel: campaign.EmailNotification, Alternative: "by mail"})
	require.Equal(t, 1, st.communication(1).Attempt, "it has a row of the ledger of its own")
	st.sending(campaign.SendOutcome{Outcome: campaign.SendSent})
	st.decided(campaign.Aggregation, campaign.Change{})
	st.status(1, campaign.CommunicationCompleted)
	require.Equal(t, "by mail", st.communication(1).Alternative)
	require.Empty(t, st.s.Tried)
}
