package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestWhatAnAgentDecidesInItsOpeningTurn(t *testing.T) {
	opens := func(t *testing.T, outcome string, made campaign.TurnOutcome) *story {
		t.Helper()
		st := begin(t, "Chat")
		st.pass(campaign.Telegram)
		st.sending(campaign.SendOutcome{
			Outcome: outcome, SessionID: campaign.SessionID(id(1)), Timeout: campaign.Duration(day), Turns: campaign.TurnsAway, Opened: &made,
		})
		return st
	}
	ended := campaign.TurnOutcome{End: campaign.SessionDeclined, Reason: "asked not to", Results: campaign.Dict{"reached": raw("true")}}

	t.Run("an end closes the session, and its results are aggregated", func(t *testing.T) {
		st := opens(t, campaign.SendSent, ended)
		c := st.closed()
		require.Equal(t, campaign.SessionDeclined, c.Status)
		require.Equal(t, "asked not to", c.Reason)
		job := st.decided(campaign.Aggregation, moved("Paid", campaign.OutcomeSuccess))
		require.Equal(t, "true", string(job.Ending.Results["reached"]))
		st.contact(campaign.ContactCompleted)
		require.Equal(t, "true", string(st.s.Contact.Results["reached"]))
	})

	t.Run("a hand-off is told, and what was found out is kept to the end", func(t *testing.T) {
		st := opens(t, campaign.SendSent, campaign.TurnOutcome{HandOff: true, Reason: "asked for a person", Results: campaign.Dict{"mood": raw(`"good"`)}})
		st.contact(campaign.ContactActive)
		st.wake()
		require.Equal(t, `"good"`, string(st.closed().Results["mood"]))
	})

	t.Run("nothing of it happens before the opening is known to have left", func(t *testing.T) {
		st := opens(t, campaign.SendUnknown, ended)
		st.contact(campaign.ContactNeedsAttention)
		st.nothingAsked()
		st.happens(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id(1), MessageID: id(1), Delivery: campaign.ReportDelivered})
		require.Equal(t, campaign.SessionDeclined, st.closed().Status)
	})

	t.Run("an opening that failed has decided nothing", func(t *testing.T) {
		st := opens(t, campaign.SendFailed, ended)
		st.decided(campaign.Aggregation, campaign.Change{})
		st.nothingAsked()
	})
}
