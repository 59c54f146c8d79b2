package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testLedger(t *testing.T, s *store.Store) {
	ctx := t.Context()
	v := newSession(1)
	send := store.Send{
		ID: v.CommunicationID, ContactID: v.ContactID, CampaignID: "ca_1", CommunicationID: v.CommunicationID, SessionID: v.ID,
		IntegrationID: "in_1", Channel: campaign.Email, Address: "a@example.com", PayloadHash: "h1", CorrelationKey: "k1", CreatedAt: now,
	}
	claimed := make([]bool, 8)
	errs := together(ctx, 8, func(ctx context.Context, i int) (err error) {
		_, claimed[i], err = s.ClaimSend(ctx, send, &v, nil)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	n := 0
	for _, ok := range claimed {
		if ok {
			n++
		}
	}
	require.Equal(t, 1, n, "one claims it")
	_, err := s.Session(ctx, v.ID)
	require.NoError(t, err, "the session was opened with it")

	row, ok, err := s.ClaimSend(ctx, store.Send{ID: send.ID, PayloadHash: "other"}, nil, nil)
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, "h1", row.PayloadHash, "the earlier row is returned")
	require.Equal(t, store.SendSending, row.State)
	require.Equal(t, kept, row.CreatedAt)

	settle := func(state, provider string) store.Send {
		require.NoError(t, s.SettleSend(ctx, send.ID, state, provider, "why", now))
		row, err := s.SendByCorrelation(ctx, "k1")
		require.NoError(t, err)
		return row
	}
	require.Equal(t, store.SendRetry, settle(store.SendRetry, "").State)
	again := send
	again.PayloadHash, again.CreatedAt = "h2", now.Add(time.Hour)
	row, ok, err = s.ClaimSend(ctx, again, nil, nil)
	require.NoError(t, err)
	require.True(t, ok, "what surely was not sent may be claimed again")
	require.Equal(t, "h2", row.PayloadHash)
	row, err = s.SendRow(ctx, send.ID)
	require.NoError(t, err)
	require.Equal(t, kept.Add(time.Hour), row.CreatedAt, "limits and look-ups count from when it really went")
	require.NoError(t, s.AgainSend(ctx, send.ID, now.Add(2*time.Hour)))
	row, err = s.SendRow(ctx, send.ID)
	require.NoError(t, err)
	require.Equal(t, kept.Add(2*time.Hour), row.CreatedAt)
	require.Equal(t, store.SendUnknown, settle(store.SendUnknown, "").State)
	require.Equal(t, store.SendUnknown, settle(store.SendRetry, "").State, "unknown is never tried again by itself")
	row = settle(store.SendSent, "pm-1")
	require.Equal(t, store.SendSent, row.State)
	require.Equal(t, &kept, row.SettledAt)
	row = settle(store.SendFailed, "pm-2")
	require.Equal(t, store.SendSent, row.State, "settled stays settled")
	require.Equal(t, "pm-1", row.ProviderMessageID)
	row, err = s.SendByProviderID(ctx, "in_1", "pm-1")
	require.NoError(t, err)
	require.Equal(t, send.ID, row.ID)
	require.ErrorIs(t, s.SettleSend(ctx, "none", store.SendSent, "", "", now), store.ErrNotFound)
	_, err = s.SendByCorrelation(ctx, "")
	require.ErrorIs(t, err, store.ErrNotFound)

	require.NoError(t, s.AddMessage(ctx, campaign.Message{ID: "m1", SessionID: v.ID, Author: campaign.AuthorAgent, At: now, Delivery: "pending"}))
	_, ok, err = s.ClaimSend(ctx, store.Send{ID: "m1", SessionID: v.ID, CreatedAt: now}, nil, nil)
	require.NoError(t, err)
	require.True(t, ok)
	twice(t, func() error { return s.SettleSend(ctx, "m1", store.SendSent, "pm-3", "", now) })
	got, err := s.Session(ctx, v.ID)
	require.NoError(t, err)
	require.Equal(t, "sent", got.Messages[0].Delivery)
	require.Equal(t, "pm-3", got.Messages[0].ProviderMessageID)

	testOutbox(t, s)
}

func testOutbox(t *testing.T, s *store.Store) {
	ctx := t.Context()
	m := store.OutboxMessage{
		ID: "ob_1", At: now, Channel: campaign.Email, To: "a@example.com", Subject: "s", Body: "b", Payload: json.RawMessage(`{"a":1}`),
		CampaignID: "ca_1", ContactID: "ct_1", CorrelationKey: "k1", Status: "sent",
	}
	got, err := s.PutOutbox(ctx, m)
	require.NoError(t, err)
	require.Equal(t, "ob_1", got.ID)
	m2 := m
	m2.ID, m2.Body = "ob_2", "other"
	got, err = s.PutOutbox(ctx, m2)
	require.NoError(t, err)
	m.At = kept
	require.Equal(t, m, got, "the first under a correlation key wins")
	for i, id := range []string{"ob_3", "ob_4"} {
		_, err = s.PutOutbox(ctx, store.OutboxMessage{ID: id, At: now.Add(time.Duration(i+1) * time.Second), CampaignID: "ca_1"})
		require.NoError(t, err, "no key is no key in common")
	}
	require.NoError(t, s.SetOutboxStatus(ctx, "ob_1", "delivered"))
	require.ErrorIs(t, s.SetOutboxStatus(ctx, "none", "delivered"), store.ErrNotFound)
	got, err = s.OutboxByCorrelation(ctx, "k1")
	require.NoError(t, err)
	require.Equal(t, "delivered", got.Status)
	_, err = s.OutboxMessage(ctx, "none")
	require.ErrorIs(t, err, store.ErrNotFound)
	all := pages(t, 2, func(p store.Page) (store.List[store.OutboxMessage], error) { return s.Outbox(ctx, "ca_1", "", p) })
	require.Equal(t, []string{"ob_4", "ob_3", "ob_1"}, ids(all, func(m store.OutboxMessage) string { return m.ID }))
	items, err := s.Outbox(ctx, "", "ct_1", store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 1)
}
