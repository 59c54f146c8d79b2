package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// ends is the event of a session whose person is suppressed.
func ends(session, delivery, reason string, as campaign.SessionStatus) campaign.Event {
	return campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), SessionID: session, Delivery: delivery, Status: as, Reason: reason}
}

func TestASessionEndsWhosePersonIsSuppressed(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name, delivery, reason string
		as                     campaign.SessionStatus
		told                   campaign.DecisionKind
		outcome                campaign.CommunicationStatus
	}{
		{"who unsubscribes declines", campaign.ReportOptOut, "unsubscribed", campaign.SessionDeclined, campaign.DecisionOptOut, campaign.CommunicationNoResponse},
		{"a dead address fails it", campaign.ReportBounced, "bounced", campaign.SessionFailed, campaign.DecisionFailed, campaign.CommunicationFailed},
		{"the timeline is not told twice", campaign.ReportCovered, "spam_report", campaign.SessionDeclined, "", campaign.CommunicationNoResponse},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			st, session := talk(t)
			st.writes(1, session, "hello")
			st.asked(campaign.CommandTurn)
			before := len(st.s.Decisions)
			st.happens(ends(session, one.delivery, one.reason, one.as))
			said := st.s.Decisions[before:]
			if one.told == "" {
				require.Empty(t, said)
			} else {
				require.Len(t, said, 1)
				require.Equal(t, [2]string{string(one.told), one.reason}, [2]string{string(said[0].Kind), said[0].Reason})
				require.Equal(t, session, said[0].Data["session_id"])
			}
			c := st.closed()
			require.Equal(t, [2]string{string(one.as), one.reason}, [2]string{string(c.Status), c.Reason})
			require.Equal(t, one.reason, st.decided(campaign.Aggregation, campaign.Change{}).Ending.Reason)
			st.status(1, one.outcome)
			before = len(st.s.Decisions)
			st.happens(ends(session, one.delivery, one.reason, one.as))
			require.Len(t, st.s.Decisions, before, "what has ended says nothing more")
			st.nothingAsked()
		})
	}
}

func TestASuppressionEndsWhatNobodyKnowsToHaveLeft(t *testing.T) {
	t.Parallel()
	st := begin(t, "Chat")
	session := campaign.SessionID(id(1))
	st.pass(campaign.Telegram)
	st.happens(ends(session, campaign.ReportOptOut, "opt_out", campaign.SessionDeclined))
	require.Len(t, st.s.Early, 1, "heard once the result of the opening is there")
	st.sending(campaign.SendOutcome{Outcome: campaign.SendUnknown, SessionID: session, Reason: "interrupted"})
	require.Nil(t, st.s.Trouble, "nobody is asked: it is over whether it left or not")
	require.Equal(t, campaign.SessionDeclined, st.closed().Status)
	st.decided(campaign.Aggregation, campaign.Change{})
	st.status(1, campaign.CommunicationNoResponse)
	st.nothingAsked()
}

func TestASuppressionIsHeardOnceWithoutAWorkflow(t *testing.T) {
	t.Parallel()
	e := ends("ss_1", campaign.ReportOptOut, "opt_out", campaign.SessionDeclined)
	require.Empty(t, campaign.Heard(&campaign.Contact{ID: "ct_1", Status: campaign.ContactCompleted}, &e, monday))
}
