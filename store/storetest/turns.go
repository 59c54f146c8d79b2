package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testTurns(t *testing.T, s *store.Store) {
	ctx := t.Context()
	one := newSession(1)
	require.NoError(t, s.OpenSession(ctx, one))
	_, ok, err := s.TurnTaken(ctx, one.ContactID, "m1")
	require.NoError(t, err)
	require.False(t, ok)

	answer := &campaign.Message{ID: "trn_m1", SessionID: one.ID, Author: campaign.AuthorAgent, Content: "Good morning", At: now.Add(time.Minute), Delivery: "pending"}
	turn := store.TurnWrite{
		ContactID: one.ContactID, Key: "m1", Output: json.RawMessage(`{"content":"Good morning"}`), SessionID: one.ID,
		Message: answer, State: "asked", Results: campaign.Dict{"found": json.RawMessage(`true`)},
	}
	for range 2 {
		out, _, err := s.TakeTurn(ctx, turn)
		require.NoError(t, err)
		require.JSONEq(t, `{"content":"Good morning"}`, string(out))
		turn.Output, turn.State = json.RawMessage(`{"content":"Something else"}`), "elsewhere" // the first one stays
	}
	got, err := s.Session(ctx, one.ID)
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)
	require.Equal(t, "asked", got.State)
	require.Equal(t, campaign.Dict{"kept": json.RawMessage("1"), "found": json.RawMessage(`true`)}, got.Results)

	out, _, err := s.TakeTurn(ctx, store.TurnWrite{ContactID: one.ContactID, Key: "m2", Output: json.RawMessage(`{}`), SessionID: one.ID, HandOff: true})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(out))
	_, _, err = s.TakeTurn(ctx, store.TurnWrite{ContactID: one.ContactID, Key: "m3", Output: json.RawMessage(`{}`), SessionID: one.ID})
	require.ErrorIs(t, err, store.ErrConflict, "a person has it")
	_, ok, err = s.TurnTaken(ctx, one.ContactID, "m3")
	require.NoError(t, err)
	require.False(t, ok, "what was refused is not kept")

	_, _, err = s.TakeTurn(ctx, store.TurnWrite{ContactID: one.ContactID, Key: "greeting", Output: json.RawMessage(`{"a":1}`)})
	require.NoError(t, err, "before there is a session")
}

func testReopened(t *testing.T, s *store.Store) {
	ctx := t.Context()
	contact := addContact(t, s, "ca_1", campaign.Running)
	_, err := s.BeginRun(ctx, contact.ID, "run-1", now)
	require.NoError(t, err)
	session := newSession(1)
	session.ContactID = contact.ID
	require.NoError(t, s.OpenSession(ctx, session))
	_, err = s.CloseSession(ctx, session.ID, campaign.SessionTimeout, nil, "no_response", now)
	require.NoError(t, err)

	contact.Status = campaign.ContactActive
	require.NoError(t, s.Record(ctx, store.Recording{ContactID: contact.ID, RunID: "run-1", Revision: 1, Contact: contact, Reopened: []string{session.ID, "none"}, Now: now}))
	got, err := s.Session(ctx, session.ID)
	require.NoError(t, err)
	require.Equal(t, campaign.SessionOpen, got.Status, "its contact goes on with it")
	require.Nil(t, got.EndedAt)

	contact.Status = campaign.ContactStopped
	require.NoError(t, s.Record(ctx, store.Recording{ContactID: contact.ID, RunID: "run-1", Revision: 2, After: 1, Contact: contact, Now: now}))
	got, err = s.Session(ctx, session.ID)
	require.NoError(t, err)
	require.Equal(t, campaign.SessionCanceled, got.Status, "no session outlives its contact")
	require.NotNil(t, got.EndedAt)
}
