package store_test

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/internal/pgtest"
	"carillon/store"
)

// Every release's PostgreSQL store is taken up, migrated and read by this
// build. SQLite's, and going on from it, is e2e's TestThisBuildGoesOn….
func TestEveryReleasesPostgreSQLStoreIsTakenUp(t *testing.T) {
	t.Parallel()
	dumps, err := filepath.Glob("../testdata/upgrade/*/postgres.sql.gz")
	require.NoError(t, err)
	require.NotEmpty(t, dumps)
	for _, dump := range dumps {
		t.Run(filepath.Base(filepath.Dir(dump)), func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.New(t)
			f, err := os.Open(dump)
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close() })
			sql, err := gzip.NewReader(f)
			require.NoError(t, err)
			psql := exec.CommandContext(t.Context(), "psql", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname="+dsn)
			psql.Stdin = sql
			out, err := psql.CombinedOutput()
			require.NoError(t, err, "%s", out)

			s, err := store.Open(t.Context(), dsn, store.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			require.NoError(t, s.Migrate(t.Context()))
			campaigns, err := s.Campaigns(t.Context(), store.CampaignFilter{}, store.Page{Limit: 10})
			require.NoError(t, err)
			require.Len(t, campaigns.Items, 1)
			contacts := 0
			require.NoError(t, s.EachContact(t.Context(), store.ContactFilter{CampaignID: campaigns.Items[0].ID}, func(c campaign.Contact) error {
				contacts++
				timeline, err := s.Decisions(t.Context(), c.ID)
				require.NotEmpty(t, timeline)
				return err
			}))
			require.Equal(t, 5, contacts)
			upgradedTallies(t, s, campaigns.Items[0].ID)
		})
	}
}

// upgradedTallies checks what is counted of e2e's campaign with a contact in every
// state that lasts.
func upgradedTallies(t *testing.T, s *store.Store, campaignID string) {
	t.Helper()
	p, err := s.CampaignProgress(t.Context(), campaignID)
	require.NoError(t, err)
	require.Equal(t, 5, p.Total)
	require.Equal(t, 5, p.Launched)
	require.Equal(t, 2, p.Planned)
	require.Equal(t, map[campaign.ContactStatus]int{campaign.ContactActive: 3, campaign.ContactNeedsAttention: 1, campaign.ContactCompleted: 1}, p.ByStatus)
	tally, err := s.Tally(t.Context(), campaignID, time.Time{}, time.Time{})
	require.NoError(t, err)
	c, err := s.Campaign(t.Context(), campaignID)
	require.NoError(t, err)
	stages, err := s.Stages(t.Context(), campaignID)
	require.NoError(t, err)
	a := campaign.Analyse(&c, stages, &tally)
	require.Equal(t, []int{5, 1, 1, 1}, []int{a.Total, a.Processed, a.Completed, a.Success})
	for _, l := range a.ByAlternative {
		if l.Stage == "Talk" {
			require.Equal(t, []int{3, 3, 1}, []int{l.Sent, l.Contacts, l.Success}, "%+v", l)
		}
	}
	require.NotEmpty(t, tally.Changes)
}

func TestEveryReleasesSQLiteStoreIsCounted(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/upgrade/*/carillon.db.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		raw, err := gzip.NewReader(f)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "carillon.db")
		out, err := os.Create(path)
		require.NoError(t, err)
		_, err = io.Copy(out, raw) //nolint:gosec // our own fixture
		require.NoError(t, errors.Join(err, out.Close(), f.Close()))
		s := openMigrated(t, path)
		campaigns, err := s.Campaigns(t.Context(), store.CampaignFilter{}, store.Page{Limit: 10})
		require.NoError(t, err)
		upgradedTallies(t, s, campaigns.Items[0].ID)
		require.NoError(t, s.Migrate(t.Context()), "and again")
		upgradedTallies(t, s, campaigns.Items[0].ID)
	}
}
