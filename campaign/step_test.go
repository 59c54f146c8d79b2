package campaign_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

const day = 24 * time.Hour

func TestNotificationIsSentAndAggregated(t *testing.T) {
	st := begin(t, "Mail")
	st.pass(campaign.EmailNotification)
	st.status(1, campaign.CommunicationStarted)
	require.Equal(t, "Mail", st.s.Contact.CurrentStage)
	st.sending(campaign.SendOutcome{Outcome: campaign.SendSent, ProviderMessageID: "p1"})
	st.status(1, campaign.CommunicationSent)
	require.True(t, st.communication(1).Flagged, "aggregation runs for it")
	job := st.decided(campaign.Aggregation, campaign.Change{Plan: []campaign.Communication{plan("Chat", st.now.Add(day))}})
	require.Equal(t, campaign.CommunicationCompleted, job.Ending.Outcome)
	require.False(t, job.Ending.Answered)
	require.False(t, st.communication(1).Flagged)
	st.status(1, campaign.CommunicationCompleted)
	st.status(2, campaign.CommunicationPlanned)
	at, why, ok := st.s.Wake()
	require.True(t, ok)
	require.Equal(t, monday.Add(day), at)
	require.Equal(t, "about Chat at stage Chat", why)
	require.Equal(t, 1, st.s.Contact.Counts.Sent)
}

func TestNotificationThatWaits(t *testing.T) {
	t.Run("ends when its time is over", func(t *testing.T) {
		st := begin(t, "Mail and wait")
		st.notify(campaign.Duration(3 * day))
		st.nothingAsked()
		st.after(3*day - time.Second)
		st.nothingAsked()
		st.after(time.Second)
		require.Equal(t, campaign.SessionTimeout, st.closed().Status)
		require.Equal(t, campaign.CommunicationCompleted, st.decided(campaign.Aggregation, campaign.Change{}).Ending.Outcome)
		require.True(t, st.s.Contact.Idle, "no plan, no end: stuck in stage")
	})
	t.Run("ends when it is answered, once", func(t *testing.T) {
		st := begin(t, "Mail and wait", "Chat")
		st.notify(campaign.Duration(3 * day))
		st.writes(1, "", "first")
		st.writes(1, "", "second")
		st.closed()
		require.True(t, st.decided(campaign.Aggregation, campaign.Change{}).Ending.Answered)
		st.nothingAsked()
	})
	t.Run("ends when it is delivered, or read without a report of delivery", func(t *testing.T) {
		for _, report := range []string{"delivered", "read"} {
			st := begin(t, "Mail delivered")
			st.pass(campaign.EmailNotification)
			st.sending(campaign.SendOutcome{Outcome: campaign.SendSent, OnDelivered: true, Timeout: campaign.Duration(day)})
			st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), Delivery: report})
			st.closed()
			st.decided(campaign.Aggregation, campaign.Change{})
			st.status(1, campaign.CommunicationCompleted)
		}
	})
	t.Run("fails when it bounces", func(t *testing.T) {
		st := begin(t, "Mail and wait")
		st.notify(campaign.Duration(day))
		st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), Delivery: "bounced"})
		st.closed()
		require.Equal(t, campaign.CommunicationFailed, st.decided(campaign.Aggregation, campaign.Change{}).Ending.Outcome)
		st.status(1, campaign.CommunicationFailed)
	})
}

func TestConversation(t *testing.T) {
	st := begin(t, "Chat")
	session := st.converse()
	st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), Delivery: "delivered"})
	st.status(1, campaign.CommunicationDelivered)

	st.after(2 * day)
	st.writes(1, session, "I will pay")
	st.status(1, campaign.CommunicationReplied)
	at, why, _ := st.s.Wake()
	require.Equal(t, st.now.Add(3*day), at, "the wait is counted from the last message")
	require.Equal(t, "wait for an answer to about Chat", why)

	st.happens(campaign.Event{Kind: campaign.EventAnswer, CommunicationID: id(1), SessionID: session, MessageID: "a1", Author: campaign.AuthorAgent, Content: "When?"})
	reply := st.asked(campaign.CommandReply)
	require.Equal(t, "a1", reply.MessageID)
	job := st.decided(campaign.AgentAnswer, campaign.Change{Results: campaign.DictChange{Set: campaign.Dict{"promise": raw(`true`)}}})
	require.Equal(t, "When?", job.Message.Content)
	st.step(campaign.Event{Kind: campaign.EventReplySent, CommunicationID: id(1), MessageID: "a1", Sent: &campaign.SendOutcome{Outcome: campaign.SendSent}})

	st.happens(campaign.Event{
		Kind: campaign.EventResult, CommunicationID: id(1), SessionID: session, Status: campaign.SessionCompleted,
		Results: campaign.Dict{"date": raw(`"2026-03-09"`)},
	})
	st.closed()
	job = st.asked(campaign.CommandStrategy)
	require.Equal(t, session, job.SessionID)
	require.Equal(t, campaign.SessionCompleted, job.Ending.SessionStatus)
	require.True(t, job.Ending.Answered)
	require.Equal(t, `"2026-03-09"`, string(st.s.Contact.Results["date"]), "results are the contact's before aggregation")
	require.Equal(t, `true`, string(st.s.Contact.Results["promise"]))
	st.step(campaign.Event{Kind: campaign.EventDecided, Decided: &campaign.StrategyOutcome{None: true}})
	st.status(1, campaign.CommunicationCompleted)
	st.contact(campaign.ContactCompleted)
	require.Equal(t, campaign.Counts{Sent: 2, Received: 1}, st.s.Contact.Counts)
	require.Equal(t, st.now, st.s.Contact.UpdatedAt)
	require.True(t, st.s.Done())
}

func TestConversationTimesOut(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes bool
		want   campaign.SessionStatus
	}{
		{"without a word of the contact it is a timeout", false, campaign.SessionTimeout},
		{"after a word of the contact it is the user's timeout", true, campaign.SessionUserTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := begin(t, "Chat")
			session := st.converse()
			if c.writes {
				st.writes(1, session, "hm")
			}
			st.wake()
			require.Equal(t, c.want, st.closed().Status)
			st.decided(campaign.Aggregation, campaign.Change{})
			st.status(1, campaign.CommunicationNoResponse)
		})
	}
}

func TestResultWithoutAnEndingStatusIsUnknown(t *testing.T) {
	st := begin(t, "Chat")
	session := st.converse()
	st.happens(campaign.Event{Kind: campaign.EventResult, CommunicationID: id(1), SessionID: session, Status: campaign.SessionOpen})
	require.Equal(t, campaign.SessionUnknown, st.closed().Status)
	st.decided(campaign.Aggregation, campaign.Change{})
	st.status(1, campaign.CommunicationFailed)
}

func TestTheContactIsFasterThanTheResultOfTheSend(t *testing.T) {
	st := begin(t, "Chat")
	session := campaign.SessionID(id(1))
	st.pass(campaign.Telegram)
	st.writes(1, session, "hello")
	st.happens(campaign.Event{Kind: campaign.EventAnswer, CommunicationID: id(1), SessionID: session, MessageID: "a1", Author: campaign.AuthorOperator, Content: "hi"})
	require.Equal(t, []campaign.CommandKind{campaign.CommandSend}, st.kinds(), "they are heard after the result")
	st.sending(campaign.SendOutcome{Outcome: campaign.SendSent, SessionID: session, Timeout: campaign.Duration(day)})
	st.status(1, campaign.CommunicationReplied)
	require.Equal(t, []campaign.CommandKind{campaign.CommandReply}, st.kinds())
	require.Zero(t, st.s.Late, "the session is not a late one")
}

func TestLateReplyOpensALateSession(t *testing.T) {
	st := begin(t, "Chat", "Call")
	session := st.converse()
	st.happens(campaign.Event{Kind: campaign.EventResult, SessionID: session, Status: campaign.SessionNotAnswered})
	st.closed()
	st.decided(campaign.Aggregation, campaign.Change{})

	st.writes(1, session, "sorry, now")
	late := st.asked(campaign.CommandOpenLate)
	require.Equal(t, campaign.LateSessionID(id(1), 1), late.SessionID)
	require.Equal(t, session, late.From)
	st.status(2, campaign.CommunicationPlanned)
	require.Equal(t, "late", st.told(campaign.DecisionReplied).Reason)

	st.writes(1, session, "are you there?")
	require.Equal(t, late.SessionID, st.asked(campaign.CommandOpenLate).SessionID, "a burst is one session")
	require.Len(t, st.s.Open, 1)

	st.happens(campaign.Event{Kind: campaign.EventResult, SessionID: late.SessionID, Status: campaign.SessionCompleted})
	st.closed()
	job := st.decided(campaign.Aggregation, campaign.Change{})
	require.Equal(t, late.SessionID, job.SessionID)
	st.status(1, campaign.CommunicationNoResponse)
	st.nothingAsked()
}

func TestMessagesThatChangeNothing(t *testing.T) {
	t.Run("to a communication that is only planned", func(t *testing.T) {
		st := begin(t, "Chat")
		st.gate(campaign.Verdict{Outcome: campaign.GateHeld, Hold: &campaign.Hold{Cause: campaign.HeldCampaign}})
		st.writes(1, "", "hello")
		st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), Delivery: "delivered"})
		st.status(1, campaign.CommunicationPlanned)
		st.nothingAsked()
	})
	t.Run("to a completed contact", func(t *testing.T) {
		st := begin(t, "Mail")
		st.notify(0)
		st.decided(campaign.Aggregation, moved("Paid", campaign.OutcomeSuccess))
		st.contact(campaign.ContactCompleted)
		st.writes(1, "", "thanks")
		require.Zero(t, st.s.Contact.Counts.Received)
		st.nothingAsked()
	})
}

func TestSendsThatDidNotGoWell(t *testing.T) {
	until := monday.Add(5 * time.Hour)
	t.Run("a failed one is aggregated as FAILED", func(t *testing.T) {
		st := begin(t, "Mail")
		st.pass(campaign.EmailNotification)
		st.sending(campaign.SendOutcome{Outcome: campaign.SendFailed, Reason: "refused"})
		require.Equal(t, campaign.CommunicationFailed, st.decided(campaign.Aggregation, campaign.Change{}).Ending.Outcome)
		require.Equal(t, "refused", st.communication(1).Status.Reason)
	})
	t.Run("a skipped one is aggregated as SKIPPED", func(t *testing.T) {
		st := begin(t, "Mail")
		st.pass(campaign.EmailNotification)
		st.sending(campaign.SendOutcome{Outcome: campaign.SendSkipped, Reason: "template"})
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationSkipped)
	})
	t.Run("a deferred one goes again at its moment", func(t *testing.T) {
		st := begin(t, "Mail")
		st.pass(campaign.EmailNotification)
		st.sending(campaign.SendOutcome{Outcome: campaign.SendDeferred, Until: &until})
		st.status(1, campaign.CommunicationPlanned)
		require.Equal(t, until, *st.s.Contact.NextActionAt)
		st.wake()
		st.notify(0)
	})
	t.Run("a held one goes again when it is released", func(t *testing.T) {
		st := begin(t, "Mail")
		st.pass(campaign.EmailNotification)
		st.sending(campaign.SendOutcome{Outcome: campaign.SendHeld, Hold: &campaign.Hold{Cause: campaign.HeldCampaign, Ref: "ca_1"}})
		st.status(1, campaign.CommunicationPlanned)
		st.gate(campaign.Verdict{Outcome: campaign.GateHeld, Hold: &campaign.Hold{Cause: campaign.HeldCampaign, Ref: "ca_1"}}) // asked again, the gate holds it
		st.contact(campaign.ContactActive)
		require.Equal(t, campaign.HeldCampaign, st.s.Contact.Held.Cause)
		require.Contains(t, st.s.Blockers(), "about Mail is held: the campaign is paused")
		st.after(10 * day)
		st.nothingAsked()
		st.happens(campaign.Event{Kind: campaign.EventRelease, Release: &campaign.Release{Cause: campaign.HeldCampaign, Ref: "ca_1"}})
		require.Nil(t, st.s.Contact.Held)
		st.notify(0)
	})
	t.Run("one that a person must mend goes again on retry, as the same attempt", func(t *testing.T) {
		st := begin(t, "Mail")
		st.pass(campaign.EmailNotification)
		st.sending(campaign.SendOutcome{Outcome: campaign.SendAttention, Reason: "integration_error", Detail: "bad key"})
		st.asked(campaign.CommandRelease)
		st.contact(campaign.ContactNeedsAttention)
		require.Equal(t, "integration_error", st.s.Contact.Attention.Reason)
		st.after(day)
		st.nothingAsked()
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		st.contact(campaign.ContactActive)
		st.notify(0)
		require.Zero(t, st.communication(1).Attempt)
	})
}

func TestUnknownSend(t *testing.T) {
	lost := func(t *testing.T) *story {
		st := begin(t, "Chat")
		st.pass(campaign.Telegram)
		st.sending(campaign.SendOutcome{Outcome: campaign.SendUnknown, Reason: "timeout", SessionID: campaign.SessionID(id(1)), Timeout: campaign.Duration(day)})
		st.contact(campaign.ContactNeedsAttention)
		require.Equal(t, "send_unknown", st.s.Contact.Attention.Reason)
		st.nothingAsked()
		return st
	}
	t.Run("is never sent again by itself", func(t *testing.T) {
		st := lost(t)
		st.after(30 * day)
		st.nothingAsked()
	})
	t.Run("is sent once more, as another attempt, when an operator takes the risk", func(t *testing.T) {
		st := lost(t)
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		require.Equal(t, 1, st.communication(1).Attempt)
		require.Equal(t, campaign.SessionUnknown, st.closed().Status, "the first session is over, and nothing follows from it")
		st.converse()
	})
	t.Run("gave its agent's place back with the session, and the gate takes it anew", func(t *testing.T) {
		st := lost(t)
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		st.closed()
		st.gate(campaign.Verdict{Outcome: campaign.GateSkipped, Reason: "condition"})
		require.Equal(t, []campaign.CommandKind{campaign.CommandStrategy}, st.kinds())
	})
	t.Run("passes the gate at once in a history of version 0.1", func(t *testing.T) {
		st := lost(t)
		st.happens(campaign.Event{Kind: campaign.EventOperate, Operation: &campaign.Operation{Action: campaign.OperateRetry}})
		st.gate(campaign.Verdict{Outcome: campaign.GateSkipped, Reason: "condition"})
		require.Equal(t, id(1), st.asked(campaign.CommandRelease).CommunicationID)
	})
	t.Run("went after all if it is reported delivered", func(t *testing.T) {
		st := lost(t)
		st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), Delivery: "delivered"})
		st.contact(campaign.ContactActive)
		st.status(1, campaign.CommunicationDelivered)
		require.Len(t, st.s.Open, 1)
	})
	t.Run("went after all if the contact answers it", func(t *testing.T) {
		st := lost(t)
		st.writes(1, campaign.SessionID(id(1)), "got it")
		st.contact(campaign.ContactActive)
		st.status(1, campaign.CommunicationReplied)
		require.False(t, st.s.Open[0].Late)
	})
	t.Run("is FAILED when skipped, and its session is closed", func(t *testing.T) {
		st := lost(t)
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		require.Equal(t, campaign.SessionUnknown, st.closed().Status)
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationFailed)
	})
	t.Run("is CANCELED when the contact is moved on, without aggregation", func(t *testing.T) {
		st := lost(t)
		st.operator(campaign.Operation{Action: campaign.OperateMove, StageName: "Call"})
		st.closed()
		st.nothingAsked()
		st.status(1, campaign.CommunicationCanceled)
		require.Equal(t, "Call", st.s.Contact.CurrentStage)
	})
	t.Run("ends with the contact when it is stopped", func(t *testing.T) {
		st := lost(t)
		st.operator(campaign.Operation{Action: campaign.OperateStop})
		require.Equal(t, campaign.SessionCanceled, st.closed().Status)
		st.contact(campaign.ContactStopped)
		st.status(1, campaign.CommunicationFailed)
	})
	t.Run("is not covered up by the error of a strategy that ran meanwhile", func(t *testing.T) {
		st := begin(t, "Mail", "Chat")
		st.notify(campaign.Duration(2 * day))
		st.wake()
		st.pass(campaign.Telegram)
		st.writes(1, "", "an answer to the mail")
		st.closed()
		st.sending(campaign.SendOutcome{Outcome: campaign.SendUnknown, Reason: "timeout"})
		st.fails(campaign.Aggregation)
		require.Equal(t, "send_unknown", st.s.Contact.Attention.Reason)
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		st.decided(campaign.Aggregation, campaign.Change{}) // of the mail, again
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(2, campaign.CommunicationFailed)
	})
	t.Run("keeps a contact without a strategy from being completed", func(t *testing.T) {
		st := begin(t, "Mail", "Chat")
		st.notify(campaign.Duration(2 * day))
		st.wake()
		st.pass(campaign.Telegram)
		st.writes(1, "", "an answer to the mail")
		st.closed()
		st.sending(campaign.SendOutcome{Outcome: campaign.SendUnknown, Reason: "timeout"})
		st.asked(campaign.CommandStrategy)
		st.step(campaign.Event{Kind: campaign.EventDecided, Decided: &campaign.StrategyOutcome{None: true}})
		st.contact(campaign.ContactNeedsAttention)
	})
}

func TestGateVerdicts(t *testing.T) {
	until := monday.Add(5 * time.Hour)
	t.Run("deferred: it passes the gate again at the moment", func(t *testing.T) {
		st := begin(t, "Mail")
		st.gate(campaign.Verdict{Outcome: campaign.GateDeferred, Until: &until, Reason: "quiet_hours"})
		st.nothingAsked()
		require.Contains(t, st.s.Blockers(), "about Mail may not go before 2026-03-02T14:00:00Z")
		st.wake()
		require.Equal(t, until, st.now)
		st.notify(0)
	})
	t.Run("skipped: aggregation sees it", func(t *testing.T) {
		st := begin(t, "Mail")
		st.gate(campaign.Verdict{Outcome: campaign.GateSkipped, Reason: "opt_out", Detail: "opted out"})
		require.Equal(t, "opt_out", st.decided(campaign.Aggregation, campaign.Change{}).Ending.Reason)
		require.Equal(t, "Not sent: about Mail (opted out)", st.told(campaign.DecisionSkipped).Summary)
	})
	t.Run("final: the contact ends and what was planned is canceled", func(t *testing.T) {
		st := begin(t, "Paid", "Mail")
		st.gate(campaign.Verdict{Outcome: campaign.GateFinal, Final: &campaign.FinalStage{Name: "Paid", Outcome: campaign.OutcomeSuccess}})
		st.nothingAsked()
		st.status(1, campaign.CommunicationCompleted)
		st.status(2, campaign.CommunicationCanceled)
		st.contact(campaign.ContactCompleted)
		require.Equal(t, campaign.OutcomeSuccess, st.s.Contact.Outcome)
		require.Equal(t, "Paid", st.s.Contact.CurrentStage)
	})
	t.Run("exhausted without a stage for it: a person decides, and may retry", func(t *testing.T) {
		st := begin(t, "Mail")
		st.gate(campaign.Verdict{Outcome: campaign.GateExhausted, Detail: "10 were made"})
		st.status(1, campaign.CommunicationSkipped)
		require.Equal(t, "max_attempts", st.s.Contact.Attention.Reason)
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		st.notify(0)
	})
	t.Run("exhausted with a stage for it: the contact ends there", func(t *testing.T) {
		st := begin(t, "Mail", "Chat")
		st.gate(campaign.Verdict{Outcome: campaign.GateExhausted, Final: &campaign.FinalStage{Name: "Lost", Outcome: campaign.OutcomeFailure}})
		st.contact(campaign.ContactCompleted)
		require.Equal(t, campaign.OutcomeFailure, st.s.Contact.Outcome)
		st.status(2, campaign.CommunicationCanceled)
	})
	t.Run("exhausted, answered late, and retried: it is planned until it is dispatched", func(t *testing.T) {
		st := begin(t, "Chat")
		st.gate(campaign.Verdict{Outcome: campaign.GateExhausted, Detail: "10 were made"})
		st.writes(1, campaign.SessionID(id(1)), "hello?")
		late := st.asked(campaign.CommandOpenLate).SessionID
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		st.writes(1, late, "hello??")
		st.status(1, campaign.CommunicationPlanned)
		st.converse()
	})
	t.Run("attention: retry passes the gate again", func(t *testing.T) {
		st := begin(t, "Mail")
		st.gate(campaign.Verdict{Outcome: campaign.GateAttention, Reason: "agent_missing", Detail: "no agent"})
		st.contact(campaign.ContactNeedsAttention)
		require.Equal(t, []string{"needs attention: no agent"}, st.s.Blockers())
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		st.notify(0)
	})
	t.Run("expired: it does not even come to the gate", func(t *testing.T) {
		st := begin(t)
		at := monday.Add(time.Hour)
		m := plan("Mail", monday.Add(2*time.Hour))
		m.ExpiresAt = &at
		st.imports(1)
		st.decided(campaign.DataLoad, campaign.Change{Plan: []campaign.Communication{m}})
		st.wake()
		require.Equal(t, "expired", st.decided(campaign.Aggregation, campaign.Change{}).Ending.Reason)
	})
	t.Run("go for one that may not go any more: its place is given back and nothing is sent", func(t *testing.T) {
		later := monday.Add(day)
		for name, meanwhile := range map[string]func(st *story){
			"paused":  func(st *story) { st.operator(campaign.Operation{Action: campaign.OperatePause}) },
			"stopped": func(st *story) { st.operator(campaign.Operation{Action: campaign.OperateStop}) },
			"rescheduled": func(st *story) {
				st.operator(campaign.Operation{Action: campaign.OperateReschedule, CommunicationID: id(1), StartDate: &later})
			},
			"a row waits": func(st *story) { st.imports(1) },
		} {
			st := begin(t, "Chat")
			meanwhile(st)
			st.pass(campaign.Telegram)
			require.Equal(t, id(1), st.asked(campaign.CommandRelease).CommunicationID, name)
			require.NotContains(t, st.kinds(), campaign.CommandSend, name)
		}
	})
}

func TestStrategyErrorNeedsAttention(t *testing.T) {
	broken := func(t *testing.T) *story {
		st := begin(t, "Mail", "Chat")
		st.notify(0)
		st.fails(campaign.Aggregation)
		st.contact(campaign.ContactNeedsAttention)
		require.Equal(t, "follow.py:3: error: KeyError: 'amount'", st.s.Contact.Attention.Detail)
		st.after(3 * day)
		st.nothingAsked()
		return st
	}
	t.Run("retry runs it again", func(t *testing.T) {
		st := broken(t)
		st.operator(campaign.Operation{Action: campaign.OperateRetry})
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationCompleted)
		st.converse()
	})
	t.Run("skip takes the outcome as it is and goes on", func(t *testing.T) {
		st := broken(t)
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		st.status(1, campaign.CommunicationCompleted)
		st.converse()
	})
	t.Run("move ends the trouble and plans at the other stage", func(t *testing.T) {
		st := broken(t)
		st.operator(campaign.Operation{Action: campaign.OperateMove, StageName: "Call", SendNow: true})
		st.status(3, campaign.CommunicationPlanned)
		st.contact(campaign.ContactActive)
	})
	t.Run("a failing agent_answer is recorded and the conversation goes on", func(t *testing.T) {
		st := begin(t, "Chat")
		session := st.converse()
		st.happens(campaign.Event{Kind: campaign.EventAnswer, SessionID: session, MessageID: "a1", Author: campaign.AuthorAgent, Content: "x"})
		st.fails(campaign.AgentAnswer)
		st.contact(campaign.ContactActive)
		require.Equal(t, "error", st.told(campaign.DecisionStrategyRun).Reason)
	})
	t.Run("a failing data_load fails its row only", func(t *testing.T) {
		st := begin(t, "Chat")
		st.converse()
		st.imports(7)
		st.fails(campaign.DataLoad)
		st.contact(campaign.ContactActive)
		require.Len(t, st.s.Settled, 1)
		require.Equal(t, 7, st.s.Settled[0].Error.Line)
	})
}

func TestFinalStageByCurrentStage(t *testing.T) {
	st := begin(t, "Mail", "Chat", "Call")
	st.notify(0)
	change := moved("Paid", campaign.OutcomeSuccess)
	change.Plan = []campaign.Communication{plan("Mail and wait", st.now.Add(time.Hour))}
	st.decided(campaign.Aggregation, change)
	st.status(2, campaign.CommunicationCanceled)
	st.status(3, campaign.CommunicationCanceled)
	st.status(4, campaign.CommunicationPlanned)
	st.contact(campaign.ContactActive)
	st.wake()
	st.notify(0)
	require.Equal(t, "Paid", st.s.Contact.CurrentStage, "a last mail does not move the contact")
	st.decided(campaign.Aggregation, campaign.Change{})
	st.contact(campaign.ContactCompleted)
	require.Equal(t, campaign.OutcomeSuccess, st.s.Contact.Outcome)
	require.Equal(t, st.now, *st.s.Contact.EndedAt)
}

func TestPaymentCancelsTheReminder(t *testing.T) {
	st := begin(t, "Mail", "Call")
	st.notify(0)
	st.decided(campaign.Aggregation, campaign.Change{})
	st.imports(2)
	require.Equal(t, 2, st.asked(campaign.CommandStrategy).Import.Line)
	st.step(campaign.Event{Kind: campaign.EventDecided, Decided: &campaign.StrategyOutcome{Version: 1, Change: moved("Paid", campaign.OutcomeSuccess)}})
	st.status(2, campaign.CommunicationCanceled)
	st.contact(campaign.ContactCompleted)
	require.Equal(t, []campaign.RowSettle{{ImportID: "im_1", Line: 2}}, st.s.Settled)
}

func TestImportOntoACompletedContact(t *testing.T) {
	completed := func(t *testing.T) *story {
		st := begin(t, "Mail")
		st.notify(0)
		st.decided(campaign.Aggregation, moved("Paid", campaign.OutcomeSuccess))
		st.contact(campaign.ContactCompleted)
		return st
	}
	t.Run("stays completed if nothing is planned", func(t *testing.T) {
		st := completed(t)
		st.imports(2)
		st.decided(campaign.DataLoad, campaign.Change{Set: map[string]string{"email": "a@b.example"}})
		st.contact(campaign.ContactCompleted)
		require.Equal(t, "a@b.example", st.s.Contact.Email)
		require.True(t, st.s.Done())
	})
	t.Run("is reopened if something is planned", func(t *testing.T) {
		st := completed(t)
		st.imports(2)
		st.decided(campaign.DataLoad, campaign.Change{Plan: []campaign.Communication{plan("Chat", st.now)}})
		st.contact(campaign.ContactActive)
		require.Nil(t, st.s.Contact.EndedAt)
		st.converse()
	})
	t.Run("is not reopened by a communication it has had", func(t *testing.T) {
		st := completed(t)
		st.imports(2)
		st.decided(campaign.DataLoad, campaign.Change{Plan: []campaign.Communication{plan("Mail", st.now)}})
		st.contact(campaign.ContactCompleted)
		require.Len(t, st.s.Contact.Communications, 1)
	})
	t.Run("a stopped contact refuses the row", func(t *testing.T) {
		st := begin(t, "Chat")
		st.operator(campaign.Operation{Action: campaign.OperateStop})
		st.pass(campaign.Telegram)
		st.contact(campaign.ContactStopped)
		st.imports(3)
		require.Len(t, st.s.Settled, 1)
		require.Equal(t, "the contact was stopped; nothing is changed", st.s.Settled[0].Error.Reason)
	})
}

func TestStop(t *testing.T) {
	t.Run("closes sessions as canceled, without aggregation", func(t *testing.T) {
		st := begin(t, "Chat", "Call")
		st.converse()
		st.operator(campaign.Operation{Action: campaign.OperateStop, Actor: "Kim", Reason: "by request"})
		require.Equal(t, campaign.SessionCanceled, st.closed().Status)
		st.nothingAsked()
		st.status(1, campaign.CommunicationCanceled)
		st.status(2, campaign.CommunicationCanceled)
		st.contact(campaign.ContactStopped)
		require.Equal(t, "Stopped: by request", st.told(campaign.DecisionStopped).Summary)
		require.True(t, st.s.Done())
	})
	t.Run("waits for the send under way, which is then closed too", func(t *testing.T) {
		st := begin(t, "Chat")
		st.pass(campaign.Telegram)
		st.operator(campaign.Operation{Action: campaign.OperateStop})
		st.contact(campaign.ContactActive)
		st.sending(campaign.SendOutcome{Outcome: campaign.SendSent, SessionID: "ss", Timeout: campaign.Duration(day)})
		st.closed()
		st.contact(campaign.ContactStopped)
	})
	t.Run("takes what a strategy under way decided, but sends none of it", func(t *testing.T) {
		st := begin(t, "Mail")
		st.notify(0)
		st.operator(campaign.Operation{Action: campaign.OperateStop})
		st.decided(campaign.Aggregation, campaign.Change{Plan: []campaign.Communication{plan("Chat", st.now)}})
		st.nothingAsked()
		st.status(2, campaign.CommunicationCanceled)
		st.contact(campaign.ContactStopped)
	})
	t.Run("is a stop even if no strategy is there to run", func(t *testing.T) {
		st := begin(t, "Mail")
		st.notify(0)
		st.operator(campaign.Operation{Action: campaign.OperateStop})
		st.asked(campaign.CommandStrategy)
		st.step(campaign.Event{Kind: campaign.EventDecided, Decided: &campaign.StrategyOutcome{None: true}})
		st.contact(campaign.ContactStopped)
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Run("a paused contact sends nothing and no wait ends", func(t *testing.T) {
		st := begin(t, "Chat", "Mail")
		st.converse()
		st.operator(campaign.Operation{Action: campaign.OperatePause})
		st.after(30 * day)
		st.nothingAsked()
		require.Equal(t, []string{"the contact is paused"}, st.s.Blockers())
		_, _, ok := st.s.Wake()
		require.False(t, ok)
	})
	t.Run("resumed with restart_waits, sessions wait anew", func(t *testing.T) {
		st := begin(t, "Chat")
		st.converse()
		st.operator(campaign.Operation{Action: campaign.OperatePause})
		st.after(30 * day)
		st.operator(campaign.Operation{Action: campaign.OperateResume, Policy: campaign.ResumeRestartWaits})
		st.nothingAsked()
		at, _, _ := st.s.Wake()
		require.Equal(t, st.now.Add(3*day), at)
	})
	t.Run("resumed now, what has passed happens at once", func(t *testing.T) {
		st := begin(t, "Chat")
		st.converse()
		st.operator(campaign.Operation{Action: campaign.OperatePause})
		st.after(30 * day)
		st.operator(campaign.Operation{Action: campaign.OperateResume})
		st.asked(campaign.CommandClose)
	})
	t.Run("released with spread, overdue sends go within the span", func(t *testing.T) {
		st := begin(t, "Mail")
		st.gate(campaign.Verdict{Outcome: campaign.GateHeld, Hold: &campaign.Hold{Cause: campaign.HeldStage, Ref: "st_Mail"}})
		st.after(day)
		st.happens(campaign.Event{Kind: campaign.EventRelease, Release: &campaign.Release{
			Cause: campaign.HeldStage, Ref: "st_Mail", Policy: campaign.ResumeSpread, Over: campaign.Duration(time.Hour),
		}})
		at, _, ok := st.s.Wake()
		require.True(t, ok)
		require.True(t, at.After(st.now) && at.Before(st.now.Add(time.Hour)))
		st.wake()
		st.notify(0)
	})
	t.Run("a wait that ends while its campaign is paused is held, and goes on at the release", func(t *testing.T) {
		st := begin(t, "Chat")
		st.converse()
		st.wake()
		require.True(t, st.asked(campaign.CommandClose).Timeout)
		st.step(campaign.Event{Kind: campaign.EventClosed, Held: &campaign.Hold{Cause: campaign.HeldCampaign, Ref: "ca_1"}})
		st.nothingAsked()
		_, _, ok := st.s.Wake()
		require.False(t, ok)
		st.happens(campaign.Event{Kind: campaign.EventRelease, Release: &campaign.Release{Cause: campaign.HeldCampaign, Ref: "ca_1"}})
		st.closed()
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationNoResponse)
	})
	t.Run("a hold goes with what it held", func(t *testing.T) {
		st := begin(t, "Mail", "Chat")
		st.gate(campaign.Verdict{Outcome: campaign.GateHeld, Hold: &campaign.Hold{Cause: campaign.HeldStage, Ref: "st_Mail"}})
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		st.decided(campaign.Aggregation, campaign.Change{})
		require.Nil(t, st.s.Contact.Held)
		require.Empty(t, st.s.Holds)
	})
}

func TestAgentsPlace(t *testing.T) {
	full := func(t *testing.T) *story {
		st := begin(t, "Call")
		st.gate(campaign.Verdict{Outcome: campaign.GateHeld, Hold: &campaign.Hold{Cause: campaign.HeldAgentFull, Ref: "ag_1"}})
		require.Equal(t, campaign.HeldAgentFull, st.s.Contact.Held.Cause)
		return st
	}
	grant := campaign.Event{Kind: campaign.EventRelease, Release: &campaign.Release{Cause: campaign.HeldAgentFull, CommunicationID: id(1)}}
	t.Run("a granted one goes through the gate again", func(t *testing.T) {
		st := full(t)
		st.happens(grant)
		st.pass(campaign.SIP)
		st.asked(campaign.CommandSend)
		st.nothingAsked()
	})
	t.Run("a grant that comes too late is given back", func(t *testing.T) {
		st := full(t)
		st.operator(campaign.Operation{Action: campaign.OperateSkip})
		st.decided(campaign.Aggregation, campaign.Change{})
		st.happens(grant)
		require.Equal(t, id(1), st.asked(campaign.CommandRelease).CommunicationID)
	})
	t.Run("a grant that the gate makes useless is given back", func(t *testing.T) {
		st := full(t)
		st.happens(grant)
		st.gate(campaign.Verdict{Outcome: campaign.GateSkipped, Reason: "condition"})
		require.Equal(t, id(1), st.asked(campaign.CommandRelease).CommunicationID)
	})
	t.Run("a paused contact keeps no place from others", func(t *testing.T) {
		st := full(t)
		st.operator(campaign.Operation{Action: campaign.OperatePause})
		st.happens(grant)
		require.Equal(t, id(1), st.asked(campaign.CommandRelease).CommunicationID)
		st.operator(campaign.Operation{Action: campaign.OperateResume})
		st.asked(campaign.CommandGate)
	})
}

func TestRepeatedEventsAreIgnored(t *testing.T) {
	st := begin(t, "Chat")
	session := st.converse()
	e := campaign.Event{ID: "wamid.1", Kind: campaign.EventMessage, SessionID: session, MessageID: "m1", Content: "hi"}
	st.step(e)
	st.step(e)
	require.Equal(t, 1, st.s.Contact.Counts.Received)
	require.Equal(t, []string{"wamid.1"}, st.s.Taken)
}

func TestRescheduleAndMove(t *testing.T) {
	later := monday.Add(10 * day)
	t.Run("a rescheduled one goes at its new date", func(t *testing.T) {
		st := begin(t, "Mail")
		until := monday.Add(time.Hour)
		st.gate(campaign.Verdict{Outcome: campaign.GateDeferred, Until: &until})
		st.operator(campaign.Operation{Action: campaign.OperateReschedule, CommunicationID: id(1), StartDate: &later})
		at, _, _ := st.s.Wake()
		require.Equal(t, later, at)
		require.Empty(t, st.s.Blockers())
	})
	t.Run("a move to a final stage completes the contact", func(t *testing.T) {
		st := begin(t)
		st.operator(campaign.Operation{Action: campaign.OperateMove, StageName: "Lost", Final: &campaign.FinalStage{Name: "Lost", Outcome: campaign.OutcomeFailure}})
		st.contact(campaign.ContactCompleted)
		require.Equal(t, campaign.OutcomeFailure, st.s.Contact.Outcome)
	})
	t.Run("a move alone contacts no one", func(t *testing.T) {
		st := begin(t)
		st.operator(campaign.Operation{Action: campaign.OperateMove, StageName: "Call"})
		st.nothingAsked()
		require.Equal(t, "Call", st.s.Contact.CurrentStage)
	})
	t.Run("a move with send_now plans, and reopens a completed contact", func(t *testing.T) {
		st := begin(t, "Mail")
		st.notify(0)
		st.decided(campaign.Aggregation, moved("Paid", campaign.OutcomeSuccess))
		st.operator(campaign.Operation{Action: campaign.OperateMove, StageName: "Chat", StageID: "st_chat", SendNow: true})
		st.contact(campaign.ContactActive)
		st.converse()
	})
}

func TestOpenWaitFollowsAChangedTimeout(t *testing.T) {
	st := begin(t, "Chat")
	session := st.converse()
	st.happens(campaign.Event{Kind: campaign.EventAnswer, SessionID: session, MessageID: "a1", Author: campaign.AuthorAgent})
	hour := campaign.Duration(time.Hour)
	st.decided(campaign.AgentAnswer, campaign.Change{Edit: []campaign.Edit{{ID: id(1), Timeout: &hour}}})
	at, _, _ := st.s.Wake()
	require.Equal(t, st.now.Add(time.Hour), at)
}

func TestWakeIsSilentWhileAJobIsUnderWay(t *testing.T) {
	st := begin(t, "Mail", "Chat")
	st.notify(0)
	st.after(5 * day) // aggregation is slow, the chat is overdue
	_, _, ok := st.s.Wake()
	require.False(t, ok, "the result of the job wakes the contact, not the clock")
}

func TestContactWithAttentionBeginsWithIt(t *testing.T) {
	s := campaign.NewState(campaign.Contact{ID: "ct_1", Attention: &campaign.Attention{Reason: "send_unknown", CommunicationID: id(1)}})
	require.NoError(t, s.CanOperate(&campaign.Operation{Action: campaign.OperateRetry}))
	require.True(t, s.Quiet())
}
