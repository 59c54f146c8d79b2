package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testAgents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Draft)
	for i, name := range []string{"Ada", "Bob", "Cleo"} {
		require.NoError(t, s.CreateAgent(ctx, campaign.Agent{ID: fmt.Sprintf("ag_%d", i+1), Name: name, Kind: campaign.AgentScripted, CreatedAt: now}))
	}
	require.ErrorIs(t, s.CreateAgent(ctx, campaign.Agent{ID: "ag_9", Name: "Ada"}), store.ErrConflict)
	v, err := s.Agent(ctx, "Bob")
	require.NoError(t, err)
	require.Equal(t, "ag_2", v.ID)
	v, err = s.UpdateAgent(ctx, "ag_2", func(v *campaign.Agent) error { v.Status = campaign.AgentRunning; return nil })
	require.NoError(t, err)
	require.Equal(t, 2, v.Version)
	_, err = s.UpdateAgent(ctx, "ag_2", func(v *campaign.Agent) error { v.Name = "Ada"; return nil })
	require.ErrorIs(t, err, store.ErrConflict)
	require.Len(t, pages(t, 2, func(p store.Page) (store.List[campaign.Agent], error) { return s.Agents(ctx, p) }), 3)

	_, err = s.CreateStage(ctx, campaign.Stage{ID: "st_1", CampaignID: "ca_1", Name: "Hello", Alternatives: []campaign.Alternative{{Label: "b", Delivery: campaign.Delivery{Agent: "Ada"}}}})
	require.NoError(t, err)
	require.ErrorIs(t, s.DeleteAgent(ctx, "ag_1"), store.ErrConflict, "a stage names it")
	require.NoError(t, s.DeleteStage(ctx, "ca_1", "st_1"))
	require.NoError(t, s.OpenSession(ctx, newSession(1)))
	require.ErrorIs(t, s.DeleteAgent(ctx, "ag_1"), store.ErrConflict, "a session is open")
	_, err = s.CloseSession(ctx, newSession(1).ID, campaign.SessionCompleted, nil, "", now)
	require.NoError(t, err)
	require.NoError(t, s.DeleteAgent(ctx, "ag_1"))
	require.ErrorIs(t, s.DeleteAgent(ctx, "ag_1"), store.ErrNotFound)

	require.NoError(t, s.SetAgentSecrets(ctx, "ag_2", map[string]campaign.Secret{"api_key": "k"}))
	secrets, err := s.AgentSecrets(ctx, "ag_2")
	require.NoError(t, err)
	require.Equal(t, "k", secrets["api_key"].Reveal())

	require.NoError(t, s.CreateIntegration(ctx, campaign.Integration{ID: "in_1", Name: "mail", Provider: "outbox", CreatedAt: now}))
	require.ErrorIs(t, s.CreateIntegration(ctx, campaign.Integration{ID: "in_2", Name: "mail"}), store.ErrConflict)
	i, err := s.UpdateIntegration(ctx, "in_1", func(i *campaign.Integration) error { i.Paused = true; return nil })
	require.NoError(t, err)
	require.Equal(t, 2, i.Version)
	all, err := s.Integrations(ctx, store.Page{})
	require.NoError(t, err)
	require.Len(t, all.Items, 1)
	require.NoError(t, s.DeleteIntegration(ctx, "in_1"))
	require.ErrorIs(t, s.DeleteIntegration(ctx, "in_1"), store.ErrNotFound)
}

func testStatesInUse(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Draft)
	require.NoError(t, s.CreateAgent(ctx, campaign.Agent{ID: "ag_1", Name: "Ada", Kind: campaign.AgentWebhook, CreatedAt: now}))
	states := func(names ...string) error {
		_, err := s.UpdateAgent(ctx, "ag_1", func(v *campaign.Agent) error {
			v.States = nil
			for _, name := range names {
				v.States = append(v.States, campaign.AgentState{Name: name})
			}
			return nil
		})
		return err
	}
	for i, state := range []string{"", "ask", "day", "day", "moon", "gone"} {
		v := newSession(i + 1)
		v.AgentID, v.State = "ag_1", state
		if state == "gone" {
			v.Status = campaign.SessionCompleted
		}
		require.NoError(t, s.OpenSession(ctx, v))
	}
	stateless := states("ask", "day")
	require.ErrorContains(t, stateless, `"moon" (1)`, "it had no states: any was right")
	require.NoError(t, states("ask", "day", "gone", "moon"))
	_, err := s.UpdateSession(ctx, newSession(5).ID, func(v *campaign.Session) error { v.State = "mars"; return nil })
	require.NoError(t, err)
	require.NoError(t, states("ask", "day"), "nobody is in those, and mars never was a state")
	refused := states("when")
	var known *campaign.Error
	require.ErrorAs(t, refused, &known)
	require.Equal(t, campaign.CodeConflict, known.Code)
	require.ErrorContains(t, refused, `"ask" (1), "day" (2);`)
	v, err := s.Agent(ctx, "ag_1")
	require.NoError(t, err)
	require.Len(t, v.States, 2, "nothing was changed")
	require.NoError(t, states(), "where there are none, any is right")
}

func grant(n int) store.Grant {
	v := newSession(n)
	return store.Grant{AgentID: "ag_1", CampaignID: "ca_1", ContactID: v.ContactID, CommunicationID: v.CommunicationID}
}

func testLeases(t *testing.T, s *store.Store) {
	ctx := t.Context()
	require.NoError(t, s.CreateAgent(ctx, campaign.Agent{ID: "ag_1", Name: "Ada", MaxSessions: ptr(3), CreatedAt: now}))
	acquire := func(n int) bool {
		t.Helper()
		ok, err := s.Acquire(ctx, grant(n), ptr(3), nil, now.Add(time.Duration(n)*time.Second))
		require.NoError(t, err)
		return ok
	}
	for n := 1; n <= 5; n++ {
		require.Equal(t, n <= 3, acquire(n))
		require.Equal(t, n <= 3, acquire(n), "asked again")
	}
	var g *store.Grant
	var err error
	twice(t, func() error { g, err = s.Release(ctx, grant(1).CommunicationID, nil); return err })
	require.Equal(t, ptr(grant(4)), g, "who waits longest; told again after a kill")
	events, err := s.UntakenEvents(ctx, time.Now().Add(time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, events, 1, "the grant is in the inbox once")
	require.Equal(t, grant(4).ContactID, events[0].ContactID)
	require.True(t, acquire(4), "the grant is the place")
	require.False(t, acquire(1), "given away")

	v := newSession(2)
	require.NoError(t, s.OpenSession(ctx, v))
	twice(t, func() error { g, err = s.CloseSession(ctx, v.ID, campaign.SessionCompleted, nil, "", now); return err })
	require.Equal(t, ptr(grant(5)), g)
	g, err = s.Release(ctx, grant(1).CommunicationID, nil)
	require.NoError(t, err)
	require.Equal(t, ptr(grant(4)), g)
	g, err = s.Release(ctx, grant(3).CommunicationID, nil)
	require.NoError(t, err)
	require.Nil(t, g, "the first left the queue")
	g, err = s.Release(ctx, "none", nil)
	require.NoError(t, err)
	require.Nil(t, g)

	_, err = s.UpdateAgent(ctx, "ag_1", func(v *campaign.Agent) error { v.MaxSessions = ptr(1); return nil })
	require.NoError(t, err)
	require.True(t, acquire(6))
	require.False(t, acquire(7))
	g, err = s.Release(ctx, grant(6).CommunicationID, nil)
	require.NoError(t, err)
	require.Nil(t, g, "two are still there, and only one may be by now")

	testDailySessions(t, s)
	testCrowd(t, s)
}

func testDailySessions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	day := time.Date(2026, 12, 1, 23, 0, 0, 0, time.UTC)
	for n := range 4 {
		g := grant(100 + n)
		g.AgentID = "ag_day"
		ok, err := s.Acquire(ctx, g, nil, ptr(2), day)
		require.NoError(t, err)
		require.Equal(t, n < 2, ok)
		if ok {
			_, err = s.Release(ctx, g.CommunicationID, nil)
			require.NoError(t, err)
		}
	}
	g := grant(102)
	g.AgentID = "ag_day"
	ok, err := s.Acquire(ctx, g, nil, ptr(2), day.Add(2*time.Hour))
	require.NoError(t, err)
	require.True(t, ok, "another day in UTC")
}

// Many ask for three places at once; each holder gives its place back and it goes on.
func testCrowd(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const people, places = 24, 3
	var holding, most atomic.Int64
	var served atomic.Int64
	var hold func(ctx context.Context, g store.Grant) error
	hold = func(ctx context.Context, g store.Grant) error {
		n := holding.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		served.Add(1)
		holding.Add(-1)
		next, err := s.Release(ctx, g.CommunicationID, ptr(places))
		if err != nil || next == nil {
			return err
		}
		return hold(ctx, *next)
	}
	errs := together(ctx, 8, func(ctx context.Context, i int) error {
		for n := i; n < people; n += 8 {
			g := grant(1000 + n)
			g.AgentID = "ag_crowd"
			ok, err := s.Acquire(ctx, g, ptr(places), nil, now)
			if err != nil {
				return err
			}
			if ok {
				if err := hold(ctx, g); err != nil {
					return err
				}
			}
		}
		return nil
	})
	require.NoError(t, errors.Join(errs...))
	require.LessOrEqual(t, most.Load(), int64(places))
	require.Equal(t, int64(people), served.Load(), "everybody was served")

	got := make([]bool, 8)
	errs = together(ctx, 8, func(ctx context.Context, i int) (err error) {
		g := grant(2000 + i)
		g.AgentID = "ag_full"
		got[i], err = s.Acquire(ctx, g, ptr(places), nil, now)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	n := 0
	for _, ok := range got {
		if ok {
			n++
		}
	}
	require.Equal(t, places, n, "capacity is never exceeded and never wasted")
}

func testHolds(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for n := range 5 {
		h := store.HeldContact{ContactID: fmt.Sprintf("ct_%d", n), CampaignID: "ca_1", Cause: "campaign", Ref: "ca_1", At: now}
		twice(t, func() error { return s.AddHold(ctx, h) })
	}
	require.NoError(t, s.AddHold(ctx, store.HeldContact{ContactID: "ct_1", Cause: "stage", Ref: "st_1", CommunicationID: "ct_1-1", At: now}))
	holds, err := s.Holds(ctx, "campaign", "ca_1", "", 2)
	require.NoError(t, err)
	require.Len(t, holds, 2)
	rest, err := s.Holds(ctx, "campaign", "ca_1", holds[1].ContactID, 10)
	require.NoError(t, err)
	require.Len(t, rest, 3)
	require.Equal(t, kept, rest[0].At)

	again := holds[0]
	again.At = now.Add(time.Second)
	require.NoError(t, s.AddHold(ctx, again))
	require.NoError(t, s.DropHold(ctx, holds[0]), "it was added again meanwhile")
	twice(t, func() error { return s.DropHold(ctx, holds[1]) })
	holds, err = s.Holds(ctx, "campaign", "ca_1", "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"ct_0", "ct_2", "ct_3", "ct_4"}, ids(holds, func(h store.HeldContact) string { return h.ContactID }))
}
