package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// testWaiting: what the contact never got is no answer: it waits on since it waited.
func testWaiting(t *testing.T, s *store.Store) {
	ctx := t.Context()
	v := newSession(1)
	require.NoError(t, s.OpenSession(ctx, v))
	say := func(id string, author campaign.Author, minute int) {
		t.Helper()
		require.NoError(t, s.AddMessage(ctx, campaign.Message{ID: id, SessionID: v.ID, Author: author, Content: id, At: now.Add(time.Duration(minute) * time.Minute), Delivery: "pending"}))
	}
	mark := func(id, delivery string) {
		t.Helper()
		require.NoError(t, s.MarkMessage(ctx, id, delivery, "", ""))
	}
	since := func(minute int, why string) {
		t.Helper()
		got, err := s.Session(ctx, v.ID)
		require.NoError(t, err)
		if minute < 0 {
			require.Nil(t, got.WaitingSince, why)
			return
		}
		require.Equal(t, ptr(kept.Add(time.Duration(minute)*time.Minute)), got.WaitingSince, why)
	}
	say("hello", campaign.AuthorContact, 1)
	say("a1", campaign.AuthorAgent, 2)
	_, _, err := s.HandSession(ctx, v.ID, now.Add(3*time.Minute), toPerson)
	require.NoError(t, err)
	say("o1", campaign.AuthorOperator, 4)
	since(-1, "the last word is ours")
	mark("o1", "failed")
	since(4, "nobody has answered since it was handed over")
	mark("o1", "delivered")
	since(-1, "it has arrived after all")

	say("when?", campaign.AuthorContact, 6)
	say("where?", campaign.AuthorContact, 7)
	say("o2", campaign.AuthorOperator, 8)
	say("o3", campaign.AuthorOperator, 9)
	mark("o2", "sent")
	mark("o3", "failed")
	since(-1, "the one before it answered")
	mark("o2", "failed")
	since(6, "neither did: it waits as long as before")
	say("o4", campaign.AuthorOperator, 10)
	since(-1, "another answer")
	mark("o4", "unknown")
	since(-1, "it may be there")
	require.NoError(t, s.MarkMessage(ctx, "o4", "failed", "", "the provider says so"))
	since(6, "and never was")
	require.NoError(t, s.RenewMessage(ctx, "o4"))
	since(-1, "it is sent again")
	mark("o4", "failed")
	since(6, "and fails again")

	m := newMailing(t, s)
	say("o5", campaign.AuthorOperator, 11)
	m.send("o5", func(row *store.Send) { row.SessionID, row.CommunicationID = v.ID, v.CommunicationID })
	m.settle("o5", store.SendSent, "")
	since(-1, "sent")
	m.commit(m.event("o5", "failed", 1))
	since(6, "its provider reports that it failed")
	m.commit(m.event("o5", "delivered", 2))
	since(-1, "and that it arrived after all")

	say("o6", campaign.AuthorOperator, 12)
	_, err = s.CloseSession(ctx, v.ID, campaign.SessionCompleted, nil, "", now)
	require.NoError(t, err)
	mark("o6", "failed")
	since(-1, "nobody waits in a session that has ended")
}
