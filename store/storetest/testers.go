package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// In mode redirect a tester gets what is for the people, and answers it.
func testTesters(t *testing.T, s *store.Store) {
	ctx, m := t.Context(), newMailing(t, s)
	const tester, hers = "+14155550199", "+14155550111"
	says := func(content string, change ...func(*store.ProviderEvent)) []store.InboxEvent {
		e := m.event("", "", m.n, func(e *store.ProviderEvent) {
			e.Kind, e.Channel, e.Content, e.Address, e.Identity = store.ReportMessage, campaign.WhatsAppMeta, content, tester, &store.Identity{UserID: "US.tester"}
		})
		for _, f := range change {
			f(&e)
		}
		told, err := s.CommitReports(ctx, []store.ProviderEvent{e}, now)
		require.NoError(t, err)
		return told
	}
	in := func(told []store.InboxEvent) string {
		t.Helper()
		require.Len(t, told, 1)
		require.Equal(t, m.contact.ID, told[0].ContactID)
		return told[0].SessionID
	}
	for i, id := range []string{"ss_1", "ss_2"} {
		require.NoError(t, s.OpenSession(ctx, campaign.Session{
			ID: id, ContactID: m.contact.ID, CommunicationID: "c-" + id, IntegrationID: "in_1", Channel: campaign.WhatsAppMeta, Address: hers,
			Status: campaign.SessionOpen, CreatedAt: now.Add(time.Duration(i) * time.Minute),
		}))
		m.send("c-"+id, func(v *store.Send) { v.SessionID, v.Channel, v.Address = id, campaign.WhatsAppMeta, "+1 415 555 0199" })
	}
	require.Empty(t, says("yes"), "nobody said that it is a tester's")
	require.NoError(t, s.PutSettings(ctx, json.RawMessage(`{"redirect": {"email": "tester@example.com", "whatsapp_meta": "+1 415 555 0199"}}`)))
	require.Equal(t, "ss_2", in(says("yes")), "the newest")
	require.Empty(t, says("yes", func(e *store.ProviderEvent) { e.IntegrationID = "in_2" }), "nothing was sent to them there")
	require.Equal(t, "ss_1", in(says("first", func(e *store.ProviderEvent) { e.CorrelationKey = "c-ss_1" })), "the one they answer")
	_, err := s.CloseSession(ctx, "ss_2", campaign.SessionCompleted, nil, "", now)
	require.NoError(t, err)
	require.Equal(t, "ss_1", in(says("and now?")), "the newest open one")
	require.Equal(t, "ss_1", in(says("It is me", func(e *store.ProviderEvent) { e.Address, e.Identity = hers, nil })), "a person answers as ever")

	// Nobody is suppressed by a tester, nor taken for one.
	told := says("STOP")
	require.Equal(t, "ss_1", in(told))
	var event campaign.Event
	require.NoError(t, json.Unmarshal(told[0].Payload, &event))
	require.True(t, event.OptOut, "the conversation ends as it would")
	suppressed, err := s.Suppressions(ctx, store.Page{})
	require.NoError(t, err)
	require.Empty(t, suppressed.Items)
	known, err := s.Identities(ctx, m.contact.ID)
	require.NoError(t, err)
	require.Empty(t, known)
	talk, err := s.Session(ctx, "ss_1")
	require.NoError(t, err)
	require.Len(t, talk.Messages, 4)
	require.Equal(t, hers, talk.Address)
}
