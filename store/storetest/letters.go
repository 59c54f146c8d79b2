package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testLetters(t *testing.T, m *mailing) {
	ctx := t.Context()
	m.send("l-1", func(v *store.Send) { v.SessionID = "ss_l" })
	m.settle("l-1", store.SendSent, "pm-l1")
	require.NoError(t, m.s.OpenSession(ctx, campaign.Session{
		ID: "ss_l", ContactID: m.contact.ID, CommunicationID: "l-1", IntegrationID: "in_1", Channel: campaign.Email, Address: "Lea@Example.com", Status: campaign.SessionOpen, CreatedAt: now,
	}))
	letter := func(change func(*store.ProviderEvent)) store.ProviderEvent {
		return m.event("", "", 3, func(e *store.ProviderEvent) {
			e.Kind, e.Content, e.Address = store.ReportMessage, "hello", "lea@example.com"
		}, change)
	}
	require.Len(t, m.commit(letter(func(e *store.ProviderEvent) {
		e.MessageID, e.Files = "<1@example.com>", []store.EventFile{{Name: "a.pdf", Type: "application/pdf", Size: 7}, {Name: "b", URL: "meta-media:1"}}
	})), 1, "an address has no case")
	require.Empty(t, m.commit(letter(func(e *store.ProviderEvent) {
		e.Auto, e.Reason, e.Content = true, "automatic: Auto-Submitted", "I am away."
	})))
	session, err := m.s.Session(ctx, "ss_l")
	require.NoError(t, err)
	require.Len(t, session.Messages, 1, "an agent never sees what a machine wrote")
	require.Equal(t, "<1@example.com>", session.Messages[0].ProviderMessageID, "an answer names it")
	notes, err := m.s.Notes(ctx, "ss_l")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"file: a.pdf, application/pdf, 7 bytes\nfile: b, meta-media:1", "automatic: Auto-Submitted\n\nI am away."}, contents(notes))

	// Two machines that do not say so stop after a while.
	answered := 0
	for range 30 {
		answered += len(m.commit(letter(func(*store.ProviderEvent) {})))
	}
	require.Equal(t, 19, answered, "one more was answered before")
	notes, err = m.s.Notes(ctx, "ss_l")
	require.NoError(t, err)
	require.Len(t, notes, 13)
	require.Contains(t, strings.Join(contents(notes), "\n"), "automatic: more than 20 letters in an hour")
}

func contents(notes []store.Note) (out []string) {
	for _, n := range notes {
		out = append(out, n.Content)
	}
	return out
}
