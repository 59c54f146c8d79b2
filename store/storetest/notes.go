package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testNotes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := addContact(t, s, "ca_1", campaign.Running)
	v := newSession(1)
	v.ContactID = c.ID
	require.NoError(t, s.OpenSession(ctx, v))
	notes, err := s.Notes(ctx, v.ID)
	require.NoError(t, err)
	require.Empty(t, notes)
	later := store.Note{ID: "n1", SessionID: v.ID, Author: "key:ops", Content: "called back", At: now.Add(time.Minute)}
	first := store.Note{ID: "n2", SessionID: v.ID, Author: "key:ops", Content: "will call", At: now}
	twice(t, func() error { return s.AddNote(ctx, later) })
	require.NoError(t, s.AddNote(ctx, first))
	require.ErrorIs(t, s.AddNote(ctx, store.Note{ID: "n3", SessionID: "none", Content: "x", At: now}), store.ErrNotFound)

	later.At, first.At = kept.Add(time.Minute), kept
	notes, err = s.Notes(ctx, v.ID)
	require.NoError(t, err)
	require.Equal(t, []store.Note{first, later}, notes)
	got, err := s.Session(ctx, v.ID)
	require.NoError(t, err)
	require.Empty(t, got.Messages, "a note is no message")

	_, err = s.UpdateContact(ctx, "ca_1", c.ID, func(v *campaign.Contact) ([]campaign.Decision, error) {
		v.Status = campaign.ContactCompleted
		return nil, nil
	})
	require.NoError(t, err)
	_, err = s.Erase(ctx, c.ExternalID, now)
	require.NoError(t, err)
	notes, err = s.Notes(ctx, v.ID)
	require.NoError(t, err)
	for _, n := range notes {
		require.Equal(t, store.Erased, n.Content)
	}
	require.NoError(t, s.DeleteCampaign(ctx, "ca_1"))
	notes, err = s.Notes(ctx, v.ID)
	require.NoError(t, err)
	require.Empty(t, notes)
}
