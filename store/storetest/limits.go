package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// persons adds one person to n campaigns and returns their contacts.
func persons(t *testing.T, s *store.Store, n int) []campaign.Contact {
	t.Helper()
	var out []campaign.Contact
	for i := range n {
		id := fmt.Sprintf("ca_%d", i)
		newCampaign(t, s, id, campaign.Running)
		c := newContact(id, 1)
		addContacts(t, s, id, c)
		out = append(out, c)
	}
	return out
}

func opening(c campaign.Contact, n int, when time.Time) store.Send {
	id := campaign.CommunicationID(c.ID, n)
	return store.Send{ID: id, ContactID: c.ID, CampaignID: c.CampaignID, CommunicationID: id, Channel: campaign.Email, CreatedAt: when}
}

func limitsFor(c campaign.Contact, n int, l store.Limits) *store.Limits {
	l.ExternalID, l.ContactID, l.CommunicationID = c.ExternalID, c.ID, campaign.CommunicationID(c.ID, n)
	return &l
}

func testLimits(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := persons(t, s, 8)
	claim := func(of campaign.Contact, n int, when time.Time, l store.Limits) error {
		_, _, err := s.ClaimSend(ctx, opening(of, n, when), nil, limitsFor(of, n, l))
		return err
	}
	soon := func(err error) store.TooSoon {
		t.Helper()
		var e *store.TooSoon
		require.ErrorAs(t, err, &e)
		return *e
	}
	hour := func(n int) time.Time { return kept.Add(time.Duration(n) * time.Hour) }
	require.NoError(t, claim(c[0], 1, hour(0), store.Limits{PerDay: 2}))
	require.NoError(t, claim(c[0], 1, hour(1), store.Limits{PerDay: 1}), "its own row does not count")
	reply := opening(c[0], 1, hour(1))
	reply.ID = "trn_1"
	_, _, err := s.ClaimSend(ctx, reply, nil, nil)
	require.NoError(t, err, "an answer in a session is no opening")
	require.Equal(t, store.TooSoon{Until: hour(3), Reason: "min_gap"}, soon(claim(c[1], 1, hour(2), store.Limits{Gap: 3 * time.Hour})))
	require.NoError(t, claim(c[1], 1, hour(2), store.Limits{ContactGap: 3 * time.Hour}), "the gap of one campaign's contact")
	require.Equal(t, store.TooSoon{Until: hour(5), Reason: "min_gap"}, soon(claim(c[1], 2, hour(3), store.Limits{ContactGap: 3 * time.Hour})))
	require.Equal(t, store.TooSoon{Until: hour(24), Reason: "max_per_day"}, soon(claim(c[2], 1, hour(3), store.Limits{PerDay: 2})))
	require.Equal(t, store.TooSoon{Until: hour(7 * 24), Reason: "max_per_week"}, soon(claim(c[2], 1, hour(3), store.Limits{PerDay: 2, PerWeek: 2})))
	_, err = s.SendRow(ctx, campaign.CommunicationID(c[2].ID, 1))
	require.ErrorIs(t, err, store.ErrNotFound, "nothing stays of what was refused")
	early, err := s.WithinLimits(ctx, *limitsFor(c[2], 1, store.Limits{PerDay: 2}), hour(3))
	require.NoError(t, err)
	require.Equal(t, &store.TooSoon{Until: hour(24), Reason: "max_per_day"}, early)
	require.NoError(t, claim(c[2], 1, hour(24), store.Limits{PerDay: 2}))

	errs := together(ctx, 5, func(ctx context.Context, i int) error {
		_, _, err := s.ClaimSend(ctx, opening(c[3+i], 9, hour(200)), nil, limitsFor(c[3+i], 9, store.Limits{PerDay: 1}))
		return err
	})
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		} else {
			soon(err)
		}
	}
	require.Equal(t, 1, n, "of one person's campaigns only one is not too often")
}

func testDailyCaps(t *testing.T, s *store.Store) {
	ctx := t.Context()
	got := make([]bool, 10)
	errs := together(ctx, len(got), func(ctx context.Context, i int) (err error) {
		got[i], err = s.UseCap(ctx, "ca_1", fmt.Sprintf("ct_%d-1", i), "2026-11-23", 3)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	n := 0
	for i, ok := range got {
		again, err := s.UseCap(ctx, "ca_1", fmt.Sprintf("ct_%d-1", i), "2026-11-23", 3)
		require.NoError(t, err)
		require.Equal(t, ok, again, "asked again, it is the same one")
		if ok {
			n++
		}
	}
	require.Equal(t, 3, n)
	ok, err := s.UseCap(ctx, "ca_1", "ct_9-9", "2026-11-24", 1)
	require.NoError(t, err)
	require.True(t, ok, "the next day")
	ok, err = s.UseCap(ctx, "ca_2", "ct_9-9", "2026-11-23", 1)
	require.NoError(t, err)
	require.True(t, ok, "another campaign")
	require.NoError(t, s.PruneCaps(ctx, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)))
	ok, err = s.UseCap(ctx, "ca_1", "ct_new-1", "2026-11-23", 1)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = s.UseCap(ctx, "ca_1", "ct_new-1", "2026-11-24", 1)
	require.NoError(t, err)
	require.False(t, ok, "a day that is not over is kept")
}

func testPruning(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Running)
	ended, active := newContact("ca_1", 1), newContact("ca_1", 2)
	ended.Status, ended.EndedAt = campaign.ContactCompleted, ptr(kept)
	addContacts(t, s, "ca_1", ended, active)
	count := func(c campaign.Contact) int {
		list, err := s.Decisions(ctx, c.ID)
		require.NoError(t, err)
		return len(list)
	}
	require.NoError(t, s.PruneDecisions(ctx, kept))
	require.Equal(t, []int{1, 1}, []int{count(ended), count(active)})
	require.NoError(t, s.PruneDecisions(ctx, kept.Add(time.Second)))
	require.Equal(t, []int{0, 1}, []int{count(ended), count(active)})
}
