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

func testRuns(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := addContact(t, s, "ca_1", campaign.Running)
	_, err := s.BeginRun(ctx, "none", "run-1", now)
	require.ErrorIs(t, err, store.ErrNotFound)
	var got campaign.Contact
	twice(t, func() error { got, err = s.BeginRun(ctx, c.ID, "run-1", now); return err })
	require.Equal(t, campaign.ContactActive, got.Status)
	require.Equal(t, &kept, got.StartedAt)

	record := func(run string, revision int64, name string) error {
		c := got.Clone()
		c.Name, c.UpdatedAt = name, time.Time{}
		return s.Record(ctx, store.Recording{
			ContactID: c.ID, RunID: run, Revision: revision, After: revision - 1, Contact: c, Now: now.Add(time.Minute),
			Decisions: []campaign.Decision{{At: now, Kind: campaign.DecisionSent, Summary: name}},
		})
	}
	name := func() string {
		c, err := s.ContactByID(ctx, c.ID)
		require.NoError(t, err)
		return c.Name
	}
	twice(t, func() error { return record("run-1", 1, "one") })
	require.NoError(t, record("run-1", 2, "two"))
	require.NoError(t, record("run-1", 1, "repeated"), "a repeated revision is no error")
	require.Equal(t, "two", name())
	require.NoError(t, record("run-2", 0, "newer"), "a run never seen is the newest")
	require.ErrorIs(t, record("run-1", 3, "stale"), store.ErrStale)
	_, err = s.BeginRun(ctx, c.ID, "run-1", now)
	require.ErrorIs(t, err, store.ErrStale)
	twice(t, func() error { return record("run-2", 0, "newer still") })
	require.Equal(t, "newer", name())
	decisions, err := s.Decisions(ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"Imported", "one", "two", "newer"}, ids(decisions, func(d campaign.Decision) string { return d.Summary }))
	stored, err := s.ContactByID(ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, kept.Add(time.Minute), stored.UpdatedAt)
	require.Equal(t, &kept, stored.StartedAt)

	attempt := func(revision, after int64, name string) {
		c := got.Clone()
		c.Name = name
		require.NoError(t, s.Record(ctx, store.Recording{
			ContactID: c.ID, RunID: "run-2", Revision: revision, After: after, Contact: c, Now: now.Add(time.Minute),
			Decisions: []campaign.Decision{{At: now, Kind: campaign.DecisionSent, Summary: name}},
		}))
	}
	attempt(5, 0, "dead")
	attempt(6, 5, "dead too")
	attempt(7, 0, "alive")
	decisions, err = s.Decisions(ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"Imported", "one", "two", "newer", "alive"}, ids(decisions, func(d campaign.Decision) string { return d.Summary }),
		"what a dead attempt of this run wrote goes; what other runs wrote stays")
	require.Equal(t, "alive", name())

	stranger := newContact("ca_1", 77)
	err = s.Record(ctx, store.Recording{ContactID: c.ID, RunID: "run-2", Revision: 9, Contact: stranger, Now: now})
	require.ErrorIs(t, err, store.ErrConflict)

	testRecordRaces(t, s)
	testMemos(t, s, c.ID)
}

func testRecordRaces(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := newContact("ca_1", 2)
	addContacts(t, s, "ca_1", c)
	const runs, revisions = 4, 10
	errs := together(ctx, runs, func(ctx context.Context, i int) error {
		run := fmt.Sprintf("run-%d", i)
		got, err := s.BeginRun(ctx, c.ID, run, now)
		for r := int64(1); r <= revisions && err == nil; r++ {
			got.Name = run
			err = s.Record(ctx, store.Recording{
				ContactID: c.ID, RunID: run, Revision: r, After: r - 1, Contact: got, Now: now,
				Decisions: []campaign.Decision{{At: now, Kind: campaign.DecisionSent, Summary: run}},
			})
		}
		return err
	})
	finished := 0
	for _, err := range errs {
		if err == nil {
			finished++
		} else {
			require.ErrorIs(t, err, store.ErrStale)
		}
	}
	require.Positive(t, finished, "the newest run is never stale")
	decisions, err := s.Decisions(ctx, c.ID)
	require.NoError(t, err)
	last, n := decisions[len(decisions)-1].Summary, 0
	for _, d := range decisions {
		if d.Summary == last {
			n++
		}
	}
	require.Equal(t, revisions, n, "the newest run wrote all it had")
	got, err := s.ContactByID(ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, last, got.Name)
}

func testMemos(t *testing.T, s *store.Store, id string) {
	ctx := t.Context()
	_, found, err := s.Memo(ctx, id, "run-2", 1)
	require.NoError(t, err)
	require.False(t, found)
	run := campaign.StrategyRun{ID: "memo-run", CampaignID: "ca_1", ContactID: id, At: now, Status: "ok"}
	outs := make([]string, 8)
	errs := together(ctx, 8, func(ctx context.Context, i int) error {
		out, err := s.PutMemo(ctx, id, "run-2", 1, json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)), &run)
		outs[i] = string(out)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	out, found, err := s.Memo(ctx, id, "run-2", 1)
	require.NoError(t, err)
	require.True(t, found)
	for _, other := range outs {
		require.JSONEq(t, string(out), other, "the first one wins and is returned to all")
	}
	items, err := s.Runs(ctx, store.RunFilter{ContactID: id}, store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 1)
	_, err = s.PutMemo(ctx, id, "run-3/data_load", 1, json.RawMessage(`1`), nil)
	require.NoError(t, err)
	_, err = s.BeginRun(ctx, id, "run-3", now)
	require.NoError(t, err)
	_, found, err = s.Memo(ctx, id, "run-3/data_load", 1)
	require.NoError(t, err)
	require.True(t, found, "it is of the run that begins")
	_, found, err = s.Memo(ctx, id, "run-2", 1)
	require.NoError(t, err)
	require.False(t, found, "a newer run has no use for it")

	lost := campaign.Attention{Reason: "no_workflow", Since: now}
	attention := func(run string) *campaign.Attention {
		require.NoError(t, s.LostRun(ctx, id, run, lost, campaign.Decision{At: now, Kind: campaign.DecisionAttention}))
		c, err := s.ContactByID(ctx, id)
		require.NoError(t, err)
		return c.Attention
	}
	require.Nil(t, attention("run-2"), "a newer one goes on")
	c, err := s.ContactByID(ctx, id)
	require.NoError(t, err)
	unheard := campaign.Attention{Reason: "send_unknown", SessionID: "se_1", MessageID: "trn_1", Since: now}
	second := campaign.Attention{Reason: campaign.ReasonAnswerFailed, SessionID: "se_1", MessageID: "trn_2", Since: now}
	shown := unheard
	shown.More = []campaign.Attention{second}
	c.Status, c.Attention = campaign.ContactNeedsAttention, &shown
	require.NoError(t, s.Record(ctx, store.Recording{ContactID: id, RunID: "run-3", Revision: 1, Contact: c, Now: now}))
	for range 2 { // and once
		a := attention("run-3")
		require.Equal(t, "no_workflow", a.Reason, "an answer that nobody may have heard holds nothing up, so the run was missed")
		var before []string
		for _, v := range a.More {
			before = append(before, v.Reason+" "+v.MessageID)
		}
		require.Equal(t, []string{"send_unknown trn_1", "answer_failed trn_2"}, before)
	}

	c, err = s.ContactByID(ctx, id)
	require.NoError(t, err)
	memo := func() bool {
		require.NoError(t, s.DropMemos(ctx, now.Add(time.Hour)))
		_, found, err := s.Memo(ctx, id, "run-3/data_load", 1)
		require.NoError(t, err)
		return found
	}
	require.True(t, memo(), "the contact has not ended")
	c.Status, c.EndedAt = campaign.ContactStopped, &kept
	require.NoError(t, s.Record(ctx, store.Recording{ContactID: id, RunID: "run-3", Revision: 2, Contact: c, Now: now}))
	require.False(t, memo())
}

func testLaunch(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Draft)
	var contacts []campaign.Contact
	for i := range 10 {
		c := newContact("ca_1", i)
		switch i {
		case 0:
			c.Communications = nil
		case 1:
			c.Paused = true
		}
		contacts = append(contacts, c)
	}
	addContacts(t, s, "ca_1", contacts...)
	claimed, err := s.ClaimLaunch(ctx, "ca_1", 100, now)
	require.NoError(t, err)
	require.Empty(t, claimed, "a draft launches nobody")
	is := func(want bool, ask func(context.Context, string) (bool, error)) {
		t.Helper()
		got, err := ask(ctx, "ca_1")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	is(false, s.Launchable)
	is(true, s.Unended)
	_, err = s.ClaimLaunch(ctx, "none", 100, now)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.UpdateCampaign(ctx, "ca_1", func(c *campaign.Campaign) error { c.Status = campaign.Running; return nil })
	require.NoError(t, err)

	is(true, s.Launchable)
	claimed, err = s.ClaimLaunch(ctx, "ca_1", 3, now)
	require.NoError(t, err)
	require.Len(t, claimed, 3)
	for _, c := range claimed {
		require.Equal(t, campaign.ContactActive, c.Status)
		require.Equal(t, &kept, c.StartedAt)
	}
	again, err := s.ClaimLaunch(ctx, "ca_1", 3, now.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, ids(claimed, contactID), ids(again, contactID), "claimed and never confirmed comes again")
	require.Equal(t, &kept, again[0].StartedAt)
	found, err := s.ExistingContacts(ctx, "ca_1", ids(claimed, contactID))
	require.NoError(t, err)
	require.True(t, found[claimed[0].ID].Workflow, "its rows go to the workflow from the claim on")

	active, err := s.ActiveIDs(ctx, "ca_1", "", 10)
	require.NoError(t, err)
	require.Empty(t, active, "none is open before it is confirmed")
	twice(t, func() error { return s.ConfirmLaunch(ctx, ids(claimed[:2], contactID), now) })
	_, err = s.BeginRun(ctx, claimed[2].ID, "run", now)
	require.NoError(t, err, "a run that began is launched, confirmed or not")
	active, err = s.ActiveIDs(ctx, "ca_1", "", 2)
	require.NoError(t, err)
	require.Equal(t, ids(claimed[:2], contactID), active)
	active, err = s.ActiveIDs(ctx, "", active[1], 10)
	require.NoError(t, err)
	require.Equal(t, ids(claimed[2:], contactID), active)
	rest, err := s.ClaimLaunch(ctx, "ca_1", 100, now)
	require.NoError(t, err)
	require.Len(t, rest, 5)
	for _, c := range rest {
		require.NotContains(t, []string{contacts[0].ID, contacts[1].ID}, c.ID, "neither without a plan nor paused")
	}

	n, err := s.StopPending(ctx, "ca_1", now)
	require.NoError(t, err)
	is(false, s.Launchable)
	require.Equal(t, 7, n, "five unconfirmed, one unplanned, one paused")
	n, err = s.StopPending(ctx, "ca_1", now)
	require.NoError(t, err)
	require.Zero(t, n)
	got, err := s.Contact(ctx, "ca_1", rest[0].ID)
	require.NoError(t, err)
	require.Equal(t, campaign.ContactStopped, got.Status)
	require.Equal(t, &kept, got.EndedAt)
	require.Equal(t, campaign.CommunicationCanceled, got.Communications[0].Status.Status)
	got, err = s.BeginRun(ctx, rest[0].ID, "late", now)
	require.NoError(t, err)
	require.Equal(t, campaign.ContactStopped, got.Status, "a run that comes too late sees that it is over")
}
