package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// mailing is a store with a contact to whom a message was sent.
type mailing struct {
	t       *testing.T
	s       *store.Store
	contact campaign.Contact
	n       int // of events
}

func newMailing(t *testing.T, s *store.Store) *mailing {
	t.Helper()
	return &mailing{t: t, s: s, contact: addContact(t, s, "ca_1", campaign.Running)}
}

// send puts a message into the ledger as being sent.
func (m *mailing) send(id string, change ...func(*store.Send)) store.Send {
	m.t.Helper()
	v := store.Send{
		ID: id, ContactID: m.contact.ID, CampaignID: "ca_1", CommunicationID: id, IntegrationID: "in_1", Channel: campaign.EmailNotification,
		Address: m.contact.Email, CorrelationKey: id, CreatedAt: now,
	}
	for _, f := range change {
		f(&v)
	}
	_, fresh, err := m.s.ClaimSend(m.t.Context(), v, nil, nil)
	require.NoError(m.t, err)
	require.True(m.t, fresh)
	return v
}

// event is one a provider reports of the message with the key, i seconds after
// the first moment.
func (m *mailing) event(key, status string, i int, change ...func(*store.ProviderEvent)) store.ProviderEvent {
	m.n++
	e := store.ProviderEvent{
		IntegrationID: "in_1", Provider: "sendgrid", Key: fmt.Sprintf("ev-%d", m.n), Kind: store.ReportStatus, Status: status, Channel: campaign.Email,
		At: now.Add(time.Duration(i) * time.Second), CorrelationKey: key, Address: m.contact.Email, Raw: `{"event":"x"}`,
	}
	for _, f := range change {
		f(&e)
	}
	return e
}

// commit commits events, twice, and returns what contacts are told.
func (m *mailing) commit(events ...store.ProviderEvent) (told []string) {
	m.t.Helper()
	first, err := m.s.CommitReports(m.t.Context(), events, now)
	require.NoError(m.t, err)
	again, err := m.s.CommitReports(m.t.Context(), events, now)
	require.NoError(m.t, err)
	require.Empty(m.t, again, "the same events again change nothing")
	return m.told(first)
}

func (m *mailing) told(events []store.InboxEvent) (told []string) {
	m.t.Helper()
	for _, e := range events {
		var event campaign.Event
		require.NoError(m.t, json.Unmarshal(e.Payload, &event))
		require.Equal(m.t, e.ID, event.ID)
		require.Equal(m.t, m.contact.ID, e.ContactID)
		told = append(told, strings.TrimSpace(string(event.Kind)+" "+event.Delivery+" "+event.MessageID))
	}
	return told
}

func (m *mailing) row(id string) store.Send {
	m.t.Helper()
	v, err := m.s.SendRow(m.t.Context(), id)
	require.NoError(m.t, err)
	return v
}

func (m *mailing) settle(id, state, provider string) {
	m.t.Helper()
	require.NoError(m.t, m.s.SettleSend(m.t.Context(), id, state, provider, "", now))
}

func (m *mailing) suppressed(externalID, address string, ch campaign.Channel) string {
	m.t.Helper()
	reason, err := m.s.Suppressed(m.t.Context(), externalID, ch, address)
	require.NoError(m.t, err)
	return reason
}
