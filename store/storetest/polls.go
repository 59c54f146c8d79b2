package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testPolls(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, got, err := s.TakePoll(ctx, "in_1", "a", now, now.Add(time.Minute))
	require.NoError(t, err)
	require.False(t, got, "there is no such integration")
	require.NoError(t, s.CreateIntegration(ctx, campaign.Integration{ID: "in_1", Name: "mail", Provider: "smtp"}))

	take := func(holder string, at time.Time) (string, bool) {
		cursor, got, err := s.TakePoll(ctx, "in_1", holder, at, at.Add(time.Minute))
		require.NoError(t, err)
		return cursor, got
	}
	m := newMailing(t, s)
	m.send("s1")
	commit := func(holder, cursor string, events ...store.ProviderEvent) ([]store.InboxEvent, error) {
		return s.CommitPoll(ctx, "in_1", holder, cursor, events, now)
	}

	cursor, got := take("a", now)
	require.True(t, got)
	require.Empty(t, cursor, "the first time")
	_, got = take("b", now.Add(59*time.Second))
	require.False(t, got, "a's turn lasts")
	delivered := m.event("s1", campaign.ReportDelivered, 1)
	told, err := commit("a", "7", delivered)
	require.NoError(t, err)
	require.Equal(t, []string{"delivery delivered s1"}, m.told(told))
	told, err = commit("a", "8", delivered)
	require.NoError(t, err)
	require.Empty(t, told, "what was taken is not taken again, and the cursor goes on")
	cursor, got = take("a", now.Add(50*time.Second))
	require.True(t, got, "a keeps its turn")
	require.Equal(t, "8", cursor)

	_, got = take("b", now.Add(time.Minute))
	require.False(t, got)
	cursor, got = take("b", now.Add(50*time.Second+time.Minute))
	require.True(t, got, "a's turn is over")
	require.Equal(t, "8", cursor)
	_, err = commit("a", "9", m.event("s1", campaign.ReportRead, 2))
	require.ErrorIs(t, err, store.ErrStale)
	events, err := s.ProviderEvents(ctx, "in_1", store.Page{})
	require.NoError(t, err)
	require.Len(t, events.Items, 1, "a holder that lost its turn keeps nothing")

	require.NoError(t, s.ReleasePoll(ctx, "in_1", "a"), "whose turn it is not")
	_, got = take("c", now.Add(2*time.Minute))
	require.False(t, got)
	require.NoError(t, s.ReleasePoll(ctx, "in_1", "b"))
	cursor, got = take("c", now.Add(2*time.Minute))
	require.True(t, got)
	require.Equal(t, "8", cursor)

	require.NoError(t, s.DeleteIntegration(ctx, "in_1"))
	_, err = commit("c", "9")
	require.ErrorIs(t, err, store.ErrStale)
	_, got = take("c", now)
	require.False(t, got)

	// Of many that ask at once one gets the turn.
	require.NoError(t, s.CreateIntegration(ctx, campaign.Integration{ID: "in_2", Name: "chat", Provider: "telegram"}))
	var (
		wg    sync.WaitGroup
		turns atomic.Int32
		all   = make([]error, 8)
	)
	for i := range all {
		wg.Go(func() {
			_, got, err := s.TakePoll(ctx, "in_2", string(rune('a'+i)), now, now.Add(time.Minute))
			if all[i] = err; got {
				turns.Add(1)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(all...))
	require.EqualValues(t, 1, turns.Load())
}
