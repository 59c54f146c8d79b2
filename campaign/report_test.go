package campaign_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestProgressHearsReportsInAnyOrder(t *testing.T) {
	t.Parallel()
	type heard struct {
		report string
		after  time.Duration
		news   bool
	}
	for _, tc := range []struct {
		name string
		told []heard
		ends string
	}{
		{"each in its order", []heard{{"sent", 0, true}, {"delivered", 1, true}, {"read", 2, true}}, "read"},
		{"read without delivered, delivered after it", []heard{{"read", 2, true}, {"delivered", 1, false}, {"sent", 0, false}}, "read"},
		{"the same again", []heard{{"delivered", 1, true}, {"delivered", 1, false}, {"delivered", 5, false}}, "delivered"},
		{"a failure undoes sent only", []heard{{"sent", 0, true}, {"failed", 1, true}, {"failed", 2, false}}, "failed"},
		{"a failure after delivery is none", []heard{{"delivered", 0, true}, {"failed", 1, false}}, "delivered"},
		{"delivered after all", []heard{{"failed", 1, true}, {"delivered", 2, true}}, "delivered"},
		{"delivered after all, told by a slower clock", []heard{{"failed", 2, true}, {"read", 1, true}}, "read"},
		{"a bounce that comes back late", []heard{{"delivered", 1, true}, {"bounced", 9, true}, {"bounced", 10, false}}, "bounced"},
		{"a late bounce that overtook the delivery before it", []heard{{"bounced", 9, true}, {"delivered", 1, false}}, "bounced"},
		{"a bounce from before the delivery", []heard{{"delivered", 9, true}, {"bounced", 1, false}}, "delivered"},
		{"a bounce tells more than a failure", []heard{{"failed", 2, true}, {"bounced", 1, true}}, "bounced"},
		{"an opt-out is news each time and no progress", []heard{{"delivered", 1, true}, {"opt_out", 2, true}, {"opt_out", 3, true}}, "delivered"},
		{"what nobody knows is none", []heard{{"noted", 1, false}, {"", 1, false}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var p campaign.Progress
			for _, h := range tc.told {
				var news bool
				p, news = p.Hear(h.report, monday.Add(h.after*time.Second))
				require.Equal(t, h.news, news, "%s after %d s", h.report, h.after)
			}
			require.Equal(t, tc.ends, p.Status)
		})
	}
}

// report is what a provider says of the opening of the first communication.
func report(status, why string) campaign.Event {
	return campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), MessageID: id(1), Delivery: status, Reason: why}
}

func TestReportsOfAnUnknownSend(t *testing.T) {
	t.Parallel()
	unknown := func(t *testing.T, session bool) *story {
		st := begin(t, "Mail")
		st.pass(campaign.EmailNotification)
		out := campaign.SendOutcome{Outcome: campaign.SendUnknown, Reason: "interrupted"}
		if session {
			out.SessionID, out.Timeout = campaign.SessionID(id(1)), campaign.Duration(day)
		}
		st.sending(out)
		st.contact(campaign.ContactNeedsAttention)
		return st
	}
	t.Run("sent proves that it left", func(t *testing.T) {
		t.Parallel()
		st := unknown(t, false)
		st.happens(report("sent", ""))
		st.decided(campaign.Aggregation, campaign.Change{})
		st.contact(campaign.ContactActive)
		st.status(1, campaign.CommunicationCompleted)
		st.told(campaign.DecisionSent)
	})
	t.Run("a bounce proves that it left", func(t *testing.T) {
		t.Parallel()
		st := unknown(t, true)
		st.happens(report("bounced", "no such user"))
		require.Equal(t, campaign.SessionFailed, st.closed().Status)
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationFailed)
	})
	t.Run("a failure ends it as failed", func(t *testing.T) {
		t.Parallel()
		st := unknown(t, false)
		st.happens(report("failed", "dropped"))
		require.Equal(t, campaign.CommunicationFailed, st.decided(campaign.Aggregation, campaign.Change{}).Ending.Outcome)
		st.status(1, campaign.CommunicationFailed)
		st.contact(campaign.ContactActive)
	})
	t.Run("a failure ends its session as failed", func(t *testing.T) {
		t.Parallel()
		st := unknown(t, true)
		st.happens(report("failed", "dropped"))
		require.Equal(t, campaign.SessionFailed, st.closed().Status)
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationFailed)
	})
	t.Run("a failure of version 0.1 only says so", func(t *testing.T) {
		t.Parallel()
		st := unknown(t, false)
		st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), Delivery: "failed"})
		st.contact(campaign.ContactNeedsAttention)
	})
}

func TestReportsOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	st := begin(t, "Mail")
	st.notify(0)
	st.decided(campaign.Aggregation, campaign.Change{})
	st.status(1, campaign.CommunicationCompleted)
	st.happens(report("delivered", ""))
	require.Equal(t, "Delivered: about Mail", st.told(campaign.DecisionDelivered).Summary)
	st.happens(report("read", ""))
	st.told(campaign.DecisionRead)
	st.happens(report("bounced", "mailbox gone"))
	require.Contains(t, st.told(campaign.DecisionFailed).Summary, "mailbox gone")
	st.status(1, campaign.CommunicationCompleted)
	st.nothingAsked()

	st.happens(report("opt_out", "unsubscribed"))
	require.Equal(t, "unsubscribed", st.told(campaign.DecisionOptOut).Reason)
	st.nothingAsked()
}

func TestReportOfAnAnswerThatDidNotArrive(t *testing.T) {
	t.Parallel()
	st := begin(t, "Chat")
	session := st.converse()
	st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), SessionID: session, MessageID: "a1", Delivery: "failed", Reason: "window closed"})
	require.Contains(t, st.told(campaign.DecisionFailed).Summary, "The answer was not delivered (window closed)")
	require.Len(t, st.s.Open, 1, "the conversation goes on")
	st.nothingAsked()
}

func TestHeardWithoutAWorkflow(t *testing.T) {
	t.Parallel()
	at := monday
	c := campaign.Contact{ID: "ct_1", Name: "Ada", Status: campaign.ContactCompleted, Communications: []campaign.Communication{
		{ID: id(1), Name: "about Mail", Status: campaign.StatusAt{Status: campaign.CommunicationFailed, At: at, Reason: "failed"}},
	}}
	e := report("delivered", "")
	decisions := campaign.Heard(&c, &e, at)
	require.Len(t, decisions, 1)
	require.Equal(t, campaign.DecisionDelivered, decisions[0].Kind)
	require.Equal(t, "after_failed", decisions[0].Reason)
	require.Equal(t, "After all, delivered: about Mail", decisions[0].Summary)
	require.Equal(t, campaign.CommunicationFailed, c.Communications[0].Status.Status, "what has ended stays ended")

	e = campaign.Event{Kind: campaign.EventDelivery, Delivery: "opt_out", Reason: "unsubscribed"}
	require.Equal(t, "Ada wants no more messages (unsubscribed)", campaign.Heard(&c, &e, at)[0].Summary)
	require.Empty(t, campaign.Heard(&campaign.Contact{ID: "ct_1"}, ptr(report("delivered", "")), at))
}

func ptr[T any](v T) *T { return &v }
