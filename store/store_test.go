package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/internal/pgtest"
	"carillon/store"
	"carillon/store/storetest"
)

func openStore(t *testing.T, dsn string, keys ...byte) *store.Store {
	t.Helper()
	var o store.Options
	for _, k := range keys {
		o.SecretKeys = append(o.SecretKeys, storetest.SecretKey(k))
	}
	s, err := store.Open(t.Context(), dsn, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openMigrated(t *testing.T, dsn string, keys ...byte) *store.Store {
	t.Helper()
	s := openStore(t, dsn, keys...)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// databases runs a test on each database with the address of an empty one.
func databases(t *testing.T, test func(t *testing.T, address func(t *testing.T) string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "a b?#%.db") })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) string { return pgtest.New(t) })
	})
}

func TestStore(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, address func(t *testing.T) string) {
		storetest.Run(t, func(t *testing.T) *store.Store { return openMigrated(t, address(t), 1) })
	})
}

func TestMigrateByManyStarters(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, address func(t *testing.T) string) {
		dsn := address(t)
		const starters = 6
		errs := make([]error, starters)
		var all sync.WaitGroup
		for i := range starters {
			s := openStore(t, dsn)
			all.Go(func() { errs[i] = s.Migrate(context.Background()) })
		}
		all.Wait()
		require.NoError(t, errors.Join(errs...))
		s := openStore(t, dsn)
		database, build, err := s.Version(t.Context())
		require.NoError(t, err)
		require.Equal(t, build, database)
		require.Positive(t, build)
	})
}

func TestSecretsBelongToTheirRow(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, address func(t *testing.T) string) {
		dsn, ctx := address(t), t.Context()
		old := openMigrated(t, dsn, 1)
		for _, id := range []string{"ca_1", "ca_2"} {
			require.NoError(t, old.CreateCampaign(ctx, campaign.Campaign{ID: id, Name: id}))
		}
		require.NoError(t, old.SetCampaignSecrets(ctx, "ca_1", map[string]campaign.Secret{"crm": "s3cret"}))
		none := openStore(t, dsn)
		require.ErrorIs(t, none.SetCampaignSecrets(ctx, "ca_1", map[string]campaign.Secret{"a": "b"}), store.ErrNoKey)
		_, err := openStore(t, dsn, 2).CampaignSecrets(ctx, "ca_1")
		require.ErrorIs(t, err, store.ErrNoKey)

		both := openStore(t, dsn, 2, 1)
		n, err := both.RotateSecrets(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		got, err := openStore(t, dsn, 2).CampaignSecrets(ctx, "ca_1")
		require.NoError(t, err)
		require.Equal(t, "s3cret", got["crm"].Reveal())
		_, err = old.CampaignSecrets(ctx, "ca_1")
		require.ErrorIs(t, err, store.ErrNoKey)

		require.NoError(t, both.MoveSecretForTest(ctx, "ca_1", "ca_2"))
		_, err = both.CampaignSecrets(ctx, "ca_2")
		require.ErrorContains(t, err, "does not belong here")
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "mysql://x", "sqlite://", ":memory:"} {
		_, err := store.Open(t.Context(), dsn, store.Options{})
		require.Error(t, err, dsn)
	}
	_, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Options{SecretKeys: [][]byte{[]byte("short")}})
	require.Error(t, err)
	_, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "none", "x.db"), store.Options{})
	require.Error(t, err)
}

func TestSQLiteSurvivesReopening(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s := openMigrated(t, path)
	require.NoError(t, s.CreateCampaign(t.Context(), campaign.Campaign{ID: "ca_1", Name: "x"}))
	_, err := os.Stat(path)
	require.NoError(t, err)
	_, err = openMigrated(t, path).Campaign(t.Context(), "ca_1")
	require.NoError(t, err)
}
