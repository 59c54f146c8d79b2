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

func testImports(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Running)
	require.NoError(t, s.CreateImport(ctx, campaign.Import{ID: "im_1", CampaignID: "ca_1", Filename: "a.csv", StartedAt: now}))
	require.NoError(t, s.SetImportHeader(ctx, "im_1", []string{"id", "Name"}, "csv"))
	header, format, err := s.ImportHeader(ctx, "im_1")
	require.NoError(t, err)
	require.Equal(t, []string{"id", "Name"}, header)
	require.Equal(t, "csv", format)
	row := func(line int) store.ImportRow {
		return store.ImportRow{Line: line, Raw: fmt.Sprintf("raw %d", line), Row: &campaign.Row{Line: line, Fields: map[string]string{"name": "x"}}}
	}
	twice(t, func() error { return s.AddRows(ctx, "im_1", 0, []store.ImportRow{row(2), row(3), row(4)}) })
	require.NoError(t, s.AddRows(ctx, "im_1", 1, []store.ImportRow{row(5), row(6)}))
	_, err = s.FinishImport(ctx, "im_1", now)
	require.ErrorIs(t, err, store.ErrConflict)
	twice(t, func() error { return s.SealImport(ctx, "im_1", 2) })
	require.ErrorIs(t, s.SealImport(ctx, "im_1", 3), store.ErrConflict)
	i, chunks, err := s.ImportByID(ctx, "im_1")
	require.NoError(t, err)
	require.Equal(t, 2, chunks)
	require.Equal(t, 5, i.Total)
	require.Equal(t, campaign.ImportProcessing, i.Status)
	rows, done, err := s.Rows(ctx, "im_1", 0)
	require.NoError(t, err)
	require.False(t, done)
	require.Len(t, rows, 3)
	require.Equal(t, "x", rows[0].Row.Fields["name"])

	first := newContact("ca_1", 1)
	started := newContact("ca_1", 8)
	addContacts(t, s, "ca_1", started)
	_, err = s.BeginRun(ctx, started.ID, "run", now)
	require.NoError(t, err)
	chunk := store.ChunkWrite{
		ImportID: "im_1", Chunk: 0, Created: 1, Now: now,
		Contacts: []store.ContactWrite{{
			Contact: first, Decisions: []campaign.Decision{{At: now, Kind: campaign.DecisionImported}},
			Run: &campaign.StrategyRun{ID: "load-1", CampaignID: "ca_1", ContactID: first.ID, At: now, Status: "ok"},
		}},
		Failed:   []campaign.RowError{{Line: 3, Field: "email", Value: "a@", Reason: "malformed"}, {Line: 3, Field: "name", Reason: "empty"}},
		Warnings: []campaign.RowError{{Line: 2, Field: "phone", Value: "+0", Reason: "odd"}},
		Pending: []store.PendingRow{{Line: 4, ContactID: started.ID, Event: store.InboxEvent{
			ID: "im_1-4", ContactID: started.ID, Kind: "import", Payload: []byte(`{"kind":"import"}`), At: now,
		}}},
		Runs: []campaign.StrategyRun{{ID: "load-3", CampaignID: "ca_1", ContactID: "none", At: now, Status: "error"}},
	}
	twice(t, func() error {
		conflicts, err := s.CommitChunk(ctx, chunk)
		require.Empty(t, conflicts)
		return err
	})
	_, done, err = s.Rows(ctx, "im_1", 0)
	require.NoError(t, err)
	require.True(t, done)
	found, err := s.ExistingContacts(ctx, "ca_1", []string{first.ID, started.ID, "none"})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.False(t, found[first.ID].Workflow)
	require.True(t, found[started.ID].Workflow)
	require.Equal(t, first.Name, found[first.ID].Contact.Name)
	runs, err := s.Runs(ctx, store.RunFilter{CampaignID: "ca_1"}, store.Page{})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"load-1", "load-3"}, ids(runs.Items, func(r campaign.StrategyRun) string { return r.ID }), "also of the row that failed")

	testChunkConflicts(t, s, found)
	testSettling(t, s, started.ID)
	testImportRaces(t, s)
}

func testChunkConflicts(t *testing.T, s *store.Store, found map[string]store.Existing) {
	ctx := t.Context()
	first, started := newContact("ca_1", 1), newContact("ca_1", 8)
	fresh := newContact("ca_1", 99)
	merged := found[first.ID].Contact.Clone()
	merged.Name = "Merged"
	write := func(contacts ...store.ContactWrite) []string {
		conflicts, err := s.CommitChunk(ctx, store.ChunkWrite{ImportID: "im_1", Chunk: 1, Contacts: contacts, Created: 1, Updated: 1, Now: now})
		require.NoError(t, err)
		return conflicts
	}
	require.Equal(t, []string{first.ID}, write(store.ContactWrite{Contact: fresh}, store.ContactWrite{Contact: first}), "it must not exist yet")
	_, err := s.ContactByID(ctx, fresh.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "nothing of the chunk is written")
	require.Equal(t, []string{first.ID}, write(store.ContactWrite{Contact: merged, Base: found[first.ID].Revision + 1}), "it has another revision")
	require.Equal(t, []string{fresh.ID}, write(store.ContactWrite{Contact: fresh, Base: 1}), "it is gone")
	require.Equal(t, []string{started.ID}, write(store.ContactWrite{Contact: started, Base: found[started.ID].Revision}), "its workflow owns it")
	require.Empty(t, write(store.ContactWrite{Contact: fresh}, store.ContactWrite{Contact: merged, Base: found[first.ID].Revision}))
	got, err := s.ContactByID(ctx, first.ID)
	require.NoError(t, err)
	require.Equal(t, "Merged", got.Name)
	require.Equal(t, kept, got.CreatedAt)
}

func testSettling(t *testing.T, s *store.Store, startedID string) {
	ctx := t.Context()
	_, err := s.FinishImport(ctx, "im_1", now)
	require.ErrorIs(t, err, store.ErrConflict, "a row is with its workflow")
	open, err := s.Unsettled(ctx, "im_1", 10)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, 4, open[0].Line)
	pending, err := s.RowPending(ctx, "im_1", 4)
	require.NoError(t, err)
	require.True(t, pending)
	pending, err = s.RowPending(ctx, "im_1", 3)
	require.NoError(t, err)
	require.False(t, pending, "it went to no workflow")
	events, err := s.UntakenEvents(ctx, now.Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, "ca_1", events[0].CampaignID)

	c, err := s.ContactByID(ctx, startedID)
	require.NoError(t, err)
	settled := store.Settlement{ImportID: "im_1", Line: 4, Error: &campaign.RowError{Line: 4, Field: "amount", Value: "x", Reason: "not a number"}}
	twice(t, func() error {
		return s.Record(ctx, store.Recording{
			ContactID: c.ID, RunID: "run", Revision: 1, Contact: c, Now: now, Taken: []string{"im_1-4"}, Settled: []store.Settlement{settled},
		})
	})
	pending, err = s.RowPending(ctx, "im_1", 4)
	require.NoError(t, err)
	require.False(t, pending, "it is settled")
	require.NoError(t, s.SettleRow(ctx, "im_1", store.Settlement{ImportID: "im_1", Line: 4}), "the first word counts")
	events, err = s.UntakenEvents(ctx, now.Add(time.Second), 10)
	require.NoError(t, err)
	require.Empty(t, events)
	var i campaign.Import
	twice(t, func() error { i, err = s.FinishImport(ctx, "im_1", now); return err })
	require.Equal(t, campaign.ImportCompleted, i.Status)
	require.Equal(t, &kept, i.FinishedAt)
	i, err = s.Import(ctx, "ca_1", "im_1")
	require.NoError(t, err)
	require.Equal(t, [5]int{5, 2, 1, 2, 1}, [5]int{i.Total, i.Created, i.Updated, i.Failed, i.Warnings})
	require.NoError(t, s.FailImport(ctx, "im_1", "late", now))

	var seen []string
	require.NoError(t, s.RowErrors(ctx, "im_1", func(e campaign.RowError, warning bool) error {
		seen = append(seen, fmt.Sprint(e.Line, e.Field, warning))
		return nil
	}))
	require.Equal(t, []string{"2phonetrue", "3emailfalse", "3namefalse", "4amountfalse"}, seen)
	seen = nil
	require.NoError(t, s.FailedRows(ctx, "im_1", func(line int, raw string) error {
		seen = append(seen, fmt.Sprint(line, raw))
		return nil
	}))
	require.Equal(t, []string{"3raw 3", "4raw 4"}, seen)

	require.NoError(t, s.CreateImport(ctx, campaign.Import{ID: "im_2", CampaignID: "ca_1", StartedAt: now}))
	twice(t, func() error { return s.FailImport(ctx, "im_2", "unreadable", now) })
	require.ErrorIs(t, s.SealImport(ctx, "im_2", 1), store.ErrConflict)
	require.NoError(t, s.CreateImport(ctx, campaign.Import{ID: "im_3", CampaignID: "ca_1", StartedAt: now}))
	require.NoError(t, s.SealImport(ctx, "im_3", 0))
	i, err = s.FinishImport(ctx, "im_3", now)
	require.NoError(t, err)
	require.Equal(t, campaign.ImportFailed, i.Status, "no row arrived")
	all := pages(t, 1, func(p store.Page) (store.List[campaign.Import], error) { return s.ImportsOf(ctx, "ca_1", p) })
	require.GreaterOrEqual(t, len(all), 3)
	_, err = s.Import(ctx, "other", "im_1")
	require.ErrorIs(t, err, store.ErrNotFound)
}

// Two files with the same new people, at once: each person is created once, and
// the other file is told to look again.
func testImportRaces(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const files, people = 4, 50
	conflicting := make([]int, files)
	for f := range files {
		id := fmt.Sprintf("race_%d", f)
		require.NoError(t, s.CreateImport(ctx, campaign.Import{ID: id, CampaignID: "ca_1", StartedAt: now}))
		require.NoError(t, s.AddRows(ctx, id, 0, nil))
	}
	errs := together(ctx, files, func(ctx context.Context, f int) error {
		w := store.ChunkWrite{ImportID: fmt.Sprintf("race_%d", f), Created: people, Now: now}
		for i := range people {
			n := i
			if f%2 == 1 {
				n = people - 1 - i
			}
			w.Contacts = append(w.Contacts, store.ContactWrite{Contact: newContact("ca_1", 1000+n)})
		}
		conflicts, err := s.CommitChunk(ctx, w)
		conflicting[f] = len(conflicts)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	winners := 0
	for _, n := range conflicting {
		if n == 0 {
			winners++
		} else {
			require.Equal(t, people, n)
		}
	}
	require.Equal(t, 1, winners)
}
