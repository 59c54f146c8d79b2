package store_test

import (
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

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
		})
	}
}
