package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func newSession(n int) campaign.Session {
	communication := fmt.Sprintf("ct_%d-1", n)
	return campaign.Session{
		ID: campaign.SessionID(communication), CampaignID: "ca_1", ContactID: fmt.Sprintf("ct_%d", n), CommunicationID: communication,
		AgentID: "ag_1", IntegrationID: "in_1", Channel: campaign.Email, Address: fmt.Sprintf("a%d@example.com", n),
		Mode: campaign.ModeAI, Status: campaign.SessionOpen, CreatedAt: now.Add(time.Duration(n) * time.Second),
		Results: campaign.Dict{"kept": json.RawMessage("1")},
	}
}

func testSessions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for n := range 5 {
		twice(t, func() error { return s.OpenSession(ctx, newSession(n)) })
	}
	one := newSession(1)
	_, err := s.Session(ctx, "none")
	require.ErrorIs(t, err, store.ErrNotFound)
	for i, id := range []string{"m1", "m2"} {
		m := campaign.Message{ID: id, SessionID: one.ID, Author: campaign.AuthorAgent, Content: id, At: now.Add(time.Duration(i) * time.Minute), Delivery: "pending"}
		twice(t, func() error { return s.AddMessage(ctx, m) })
	}
	require.NoError(t, s.MarkMessage(ctx, "m1", "read", "pm-1", ""))
	require.NoError(t, s.MarkMessage(ctx, "m1", "delivered", "", "x"), "reports come in any order")
	require.ErrorIs(t, s.MarkMessage(ctx, "none", "read", "", ""), store.ErrNotFound)
	got, err := s.Session(ctx, one.ID)
	require.NoError(t, err)
	require.Len(t, got.Messages, 2)
	require.Equal(t, "read", got.Messages[0].Delivery)
	require.Equal(t, "pm-1", got.Messages[0].ProviderMessageID)
	require.Equal(t, ptr(kept.Add(time.Minute)), got.LastMessageAt)

	_, err = s.UpdateSession(ctx, one.ID, func(v *campaign.Session) error { v.Mode, v.State = campaign.ModeHuman, "asked"; return nil })
	require.NoError(t, err)
	got, err = s.Session(ctx, one.ID)
	require.NoError(t, err)
	require.Len(t, got.Messages, 2, "an update keeps the messages")
	require.Equal(t, "asked", got.State)

	for _, c := range []struct {
		f store.SessionFilter
		n int
	}{
		{store.SessionFilter{}, 5},
		{store.SessionFilter{CampaignID: "ca_1", AgentID: "ag_1"}, 5},
		{store.SessionFilter{ContactID: "ct_3"}, 1},
		{store.SessionFilter{Mode: campaign.ModeHuman}, 1},
		{store.SessionFilter{IntegrationID: "in_1", Address: "a2@example.com", Status: campaign.SessionOpen}, 1},
		{store.SessionFilter{Outcome: campaign.CommunicationCompleted}, 0},
	} {
		all := pages(t, 2, func(p store.Page) (store.List[campaign.Session], error) { return s.Sessions(ctx, c.f, p) })
		require.Len(t, all, c.n, "%+v", c.f)
		if c.n == 5 {
			require.Equal(t, newSession(4).ID, all[0].ID, "the newest first")
		}
	}

	close := func() error {
		_, err := s.CloseSession(ctx, one.ID, campaign.SessionCompleted, campaign.Dict{"paid": json.RawMessage("true")}, "done", now)
		return err
	}
	twice(t, close)
	_, err = s.CloseSession(ctx, one.ID, campaign.SessionFailed, nil, "late", now)
	require.NoError(t, err)
	got, err = s.Session(ctx, one.ID)
	require.NoError(t, err)
	require.Equal(t, campaign.SessionCompleted, got.Status)
	require.Equal(t, &kept, got.EndedAt)
	require.Equal(t, []string{"kept", "paid"}, got.Results.Keys())
	items, err := s.Sessions(ctx, store.SessionFilter{Outcome: campaign.CommunicationCompleted}, store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 1)

	twice(t, func() error { return s.MoveMessage(ctx, "m2", newSession(2).ID) })
	require.NoError(t, s.MoveMessage(ctx, "none", newSession(2).ID))
	got, err = s.Session(ctx, newSession(2).ID)
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)
	require.NotNil(t, got.LastMessageAt)
}

func testInbox(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := addContact(t, s, "ca_1", campaign.Running)
	v := newSession(1)
	v.ContactID = c.ID
	require.NoError(t, s.OpenSession(ctx, v))
	event := store.InboxEvent{ID: "ev_1", ContactID: c.ID, SessionID: v.ID, Kind: "message", Payload: json.RawMessage(`{"kind":"message","content":"hi"}`), At: now}
	message := campaign.Message{ID: "m1", Author: campaign.AuthorContact, Content: "hi", At: now}
	open := func(v campaign.Session) error {
		if v.Status != campaign.SessionOpen {
			return errClosed
		}
		return nil
	}
	added := make([]bool, 8)
	errs := together(ctx, 8, func(ctx context.Context, i int) error {
		told, err := s.AddEvent(ctx, event, &message, open)
		added[i] = len(told) > 0
		return err
	})
	require.NoError(t, errors.Join(errs...))
	n := 0
	for _, ok := range added {
		if ok {
			n++
		}
	}
	require.Equal(t, 1, n, "an event is added once")
	got, err := s.Session(ctx, v.ID)
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)

	events, err := s.UntakenEvents(ctx, now.Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
	event.CampaignID, event.At = "ca_1", kept
	require.Equal(t, event, events[0])
	events, err = s.UntakenEvents(ctx, now.Add(-time.Second), 10)
	require.NoError(t, err)
	require.Empty(t, events)

	require.NoError(t, s.MarkUnmatched(ctx, "ev_1", "no_contact"))
	items, err := s.UnmatchedEvents(ctx, store.Page{})
	require.NoError(t, err)
	require.Equal(t, []store.Unmatched{{ID: "ev_1", At: kept, Kind: "message", ContactID: c.ID, SessionID: v.ID, Content: "hi", Reason: "no_contact"}}, items.Items)
	twice(t, func() error { return s.TakeEvents(ctx, []string{"ev_1"}) })
	items, err = s.UnmatchedEvents(ctx, store.Page{})
	require.NoError(t, err)
	require.Empty(t, items.Items, "taken after all")
	events, err = s.UntakenEvents(ctx, now.Add(time.Second), 10)
	require.NoError(t, err)
	require.Empty(t, events)
	testTries(t, s, c.ID)

	_, err = s.CloseSession(ctx, v.ID, campaign.SessionCompleted, nil, "", now)
	require.NoError(t, err)
	event.ID, message.ID = "ev_2", "m2"
	_, err = s.AddEvent(ctx, event, &message, open)
	require.Equal(t, errClosed, err, "the guard's error comes back as it is")
	told, err := s.AddEvent(ctx, event, nil, nil)
	require.NoError(t, err)
	require.Len(t, told, 1, "nothing of a refused event was written")
	event.ID, event.SessionID = "ev_3", "none"
	_, err = s.AddEvent(ctx, event, nil, open)
	require.ErrorIs(t, err, store.ErrNotFound)
}

var errClosed = errors.New("the session is closed")

func testTries(t *testing.T, s *store.Store, contactID string) {
	ctx := t.Context()
	add := func(id, contactID string, at time.Duration) {
		_, err := s.AddEvent(ctx, store.InboxEvent{ID: id, ContactID: contactID, Kind: "message", At: now.Add(at)}, nil, nil)
		require.NoError(t, err)
	}
	due := func(at time.Duration, limit int) []string {
		events, err := s.UntakenEvents(ctx, now.Add(at), limit)
		require.NoError(t, err)
		return ids(events, func(e store.InboxEvent) string { return e.ID })
	}
	add("try-1", contactID, 0)
	require.NoError(t, s.TryEvents(ctx, []string{"try-1"}, now))
	require.Empty(t, due(4*time.Second, 10))
	require.Equal(t, []string{"try-1"}, due(5*time.Second, 10))
	require.NoError(t, s.TryEvents(ctx, []string{"try-1"}, now.Add(5*time.Second)))
	require.Empty(t, due(14*time.Second, 10))
	add("try-0", "another", 10*time.Second)
	add("try-2", contactID, 9*time.Second)
	require.Equal(t, []string{"try-1", "try-2"}, due(14*time.Second, 1), "not due, but before one of its contact that is")
	require.Equal(t, []string{"try-1", "try-2", "try-0"}, due(14*time.Second, 10))
	for range 20 {
		require.NoError(t, s.TryEvents(ctx, []string{"try-1", "try-2"}, now))
	}
	require.Equal(t, []string{"try-0"}, due(10*time.Minute-time.Second, 10), "what nobody takes keeps no other waiting")
	require.Equal(t, []string{"try-1", "try-2", "try-0"}, due(10*time.Minute, 10))
	require.NoError(t, s.TakeEvents(ctx, []string{"try-0", "try-1", "try-2"}))
	require.Empty(t, due(time.Hour, 10))
}
