package pgtest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"carillon/internal/pgtest"
)

func TestNewGivesEachTestItsOwnEmptyDatabase(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	require.NotEqual(t, one, two)
	exec1(t, one, "create table a (n int)")
	exec1(t, two, "create table a (n int)")
}

func TestNewDropsItsDatabaseAtTheEnd(t *testing.T) {
	t.Parallel()
	var dsn string
	t.Run("user", func(t *testing.T) { dsn = pgtest.New(t) })
	_, err := pgx.Connect(t.Context(), dsn)
	require.ErrorContains(t, err, "does not exist")
}

func TestNewUsesTheServerItIsGiven(t *testing.T) {
	s := server(t, pgtest.Start)
	admin, err := s.NewDatabase(t.Context())
	require.NoError(t, err)
	t.Setenv("TEST_POSTGRES_DSN", admin)
	exec1(t, pgtest.New(t), "create table a (n int)")
	config, err := pgx.ParseConfig(admin)
	require.NoError(t, err)
	t.Setenv("TEST_POSTGRES_DSN", fmt.Sprintf("host=%s user=postgres dbname=postgres", config.Host))
	exec1(t, pgtest.New(t), "create table a (n int)")
}

func TestKillLosesNothingThatWasCommitted(t *testing.T) {
	t.Parallel()
	s := server(t, pgtest.Start)
	dsn, err := s.NewDatabase(t.Context())
	require.NoError(t, err)
	exec1(t, dsn, "create table a (n int)")
	for n := range 3 {
		exec1(t, dsn, fmt.Sprintf("insert into a values (%d)", n))
		busy, err := pgx.Connect(t.Context(), dsn)
		require.NoError(t, err)
		require.NoError(t, s.Kill())
		_, err = busy.Exec(t.Context(), "select 1")
		require.Error(t, err, "the session died with the server")
		require.NoError(t, s.Restart(t.Context()))
		require.Equal(t, n+1, count(t, dsn))
	}
}

func TestStartShowsAtOnceWhyItFails(t *testing.T) {
	t.Parallel()
	s := server(t, pgtest.Start)
	dsn, err := s.NewDatabase(t.Context())
	require.NoError(t, err)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	require.NoError(t, s.Kill())
	require.NoError(t, os.WriteFile(filepath.Join(config.Host, "data", "postgresql.conf"), []byte("nonsense\n"), 0o600))
	began := time.Now()
	require.ErrorContains(t, s.Restart(t.Context()), "syntax error in file")
	require.Less(t, time.Since(began), 20*time.Second)
}

func TestStartInTakesADirectoryUpAgain(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "pgtest") //nolint:usetesting // that path is too long for a socket and closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	start := func(ctx context.Context) (*pgtest.Server, error) { return pgtest.StartIn(ctx, dir) }
	s := server(t, start)
	dsn, err := s.NewDatabase(t.Context())
	require.NoError(t, err)
	exec1(t, dsn, "create table a (n int)")
	exec1(t, dsn, "insert into a values (1)")
	s.Stop()
	server(t, start)
	require.Equal(t, 1, count(t, dsn))
}

func TestAKilledTestLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	server(t, pgtest.Start) // skips without binaries
	cmd := exec.Command(os.Args[0], "-test.run=^TestParent$", "-test.count=1")
	cmd.Env = append(os.Environ(), "PGTEST_PARENT=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	dsn, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	config, err := pgx.ParseConfig(dsn[:len(dsn)-1])
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(config.Host, "data", "PG_VERSION"))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Eventually(t, func() bool {
		_, err := os.Stat(config.Host)
		return os.IsNotExist(err)
	}, 10*time.Second, 20*time.Millisecond)
}

// TestParent is the process the test above kills.
func TestParent(t *testing.T) {
	if os.Getenv("PGTEST_PARENT") == "" {
		t.Skip("run by another test")
	}
	s := server(t, pgtest.Start)
	dsn, err := s.NewDatabase(t.Context())
	require.NoError(t, err)
	fmt.Println(dsn)
	select {}
}

func server(t *testing.T, start func(context.Context) (*pgtest.Server, error)) *pgtest.Server {
	t.Helper()
	s, err := start(t.Context())
	if os.Getenv("CI") == "" && err != nil {
		require.ErrorIs(t, err, pgtest.ErrNoBinaries)
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

func exec1(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func count(t *testing.T, dsn string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from a").Scan(&n))
	return n
}
