package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func linked(chat string) campaign.Event {
	return campaign.Event{Kind: campaign.EventLinked, Linked: &campaign.Linked{Channel: campaign.Telegram, Address: chat, Name: "Ada L."}}
}

func TestACommunicationWaitsForItsChat(t *testing.T) {
	waits := func(t *testing.T) *story {
		st := begin(t, "Chat")
		until := monday.Add(3 * day)
		st.gate(campaign.Verdict{Outcome: campaign.GateDeferred, Until: &until, Reason: campaign.ReasonNoChat})
		st.nothingAsked()
		require.True(t, st.s.Waited(id(1)))
		at, _, ok := st.s.Wake()
		require.True(t, ok)
		require.Equal(t, until, at)
		return st
	}
	t.Run("and goes when the contact has opened it", func(t *testing.T) {
		st := waits(t)
		st.after(day)
		st.nothingAsked()
		st.happens(linked("4242"))
		require.Equal(t, "4242", st.s.Contact.TelegramChatID)
		last := st.s.Decisions[len(st.s.Decisions)-1]
		require.Equal(t, campaign.DecisionLinked, last.Kind)
		require.Equal(t, "Ada opened the bot's chat", last.Summary)
		require.False(t, st.s.Waited(id(1)))
		st.converse()
	})
	t.Run("and goes when an import brings the chat", func(t *testing.T) {
		st := waits(t)
		st.happens(campaign.Event{Kind: campaign.EventImport, Import: &campaign.RowImport{ImportID: "im", Line: 2, Row: campaign.Row{Fields: map[string]string{"telegram_chat_id": "77"}}}})
		st.decided(campaign.DataLoad, campaign.Change{Set: map[string]string{"telegram_chat_id": "77"}})
		st.converse()
	})
	t.Run("and comes to the gate again when its time is over", func(t *testing.T) {
		st := waits(t)
		st.wake()
		require.True(t, st.s.Waited(id(1)), "so that the gate does not have it wait anew")
		st.gate(campaign.Verdict{Outcome: campaign.GateSkipped, Reason: campaign.ReasonNoChat})
		st.decided(campaign.Aggregation, campaign.Change{})
		st.status(1, campaign.CommunicationSkipped)
	})
	t.Run("which may be known before the gate has said so", func(t *testing.T) {
		st := begin(t, "Chat")
		st.happens(linked("4242"))
		until := monday.Add(3 * day)
		st.gate(campaign.Verdict{Outcome: campaign.GateDeferred, Until: &until, Reason: campaign.ReasonNoChat})
		st.converse()
	})
	t.Run("and quiet hours are not waited for less", func(t *testing.T) {
		st := begin(t, "Chat")
		until := monday.Add(day)
		st.gate(campaign.Verdict{Outcome: campaign.GateDeferred, Until: &until, Reason: "quiet_hours"})
		st.happens(linked("4242"))
		st.nothingAsked()
	})
}

func TestTheNewestChatCounts(t *testing.T) {
	st := begin(t, "Mail")
	st.happens(linked("1"))
	n := len(st.s.Decisions)
	st.happens(linked("1"))
	require.Len(t, st.s.Decisions, n, "no news")
	st.happens(linked("2"))
	require.Equal(t, "2", st.s.Contact.TelegramChatID)
	for _, e := range []campaign.Event{linked(""), {Kind: campaign.EventLinked}, {Kind: campaign.EventLinked, Linked: &campaign.Linked{Channel: campaign.WhatsAppMeta, Address: "3"}}} {
		st.happens(e)
	}
	require.Equal(t, "2", st.s.Contact.TelegramChatID)

	c := campaign.Contact{Name: "Ada"}
	e := linked("9")
	require.Len(t, campaign.Heard(&c, &e, monday), 1)
	require.Equal(t, "9", c.TelegramChatID, "also of a contact that no workflow runs")
}
