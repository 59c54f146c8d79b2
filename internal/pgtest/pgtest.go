// Package pgtest gives tests an empty PostgreSQL database each, on a private server that listens on a Unix socket
// only. It imports nothing of ours but is used by every room's tests; it needs no set-up beyond PostgreSQL's
// server binaries (Debian: apt-get install postgresql), and runs them as an ordinary user when we are root.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoBinaries says that no PostgreSQL server is installed where we look: PGTEST_BIN, /usr/lib/postgresql, PATH.
var ErrNoBinaries = errors.New("no PostgreSQL server binaries (initdb, postgres) found")

// shared is the one server of this test binary. It goes when the process does.
var shared = sync.OnceValues(func() (*Server, error) { return Start(context.Background()) })

// New returns the address of an empty database that is dropped when the test ends. With TEST_POSTGRES_DSN set the
// database is made on that server. Without a server the test is skipped, or fails when CI is set.
func New(t testing.TB) (dsn string) {
	t.Helper()
	ctx := context.Background() // t.Context() is over before the cleanup runs
	admin := os.Getenv("TEST_POSTGRES_DSN")
	if admin == "" {
		s, err := shared()
		if errors.Is(err, ErrNoBinaries) && os.Getenv("CI") == "" {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		admin = s.dsn("postgres")
	}
	name, err := createDatabase(ctx, admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run(ctx, admin, "drop database if exists "+name+" with (force)"); err != nil {
			t.Log(err)
		}
	})
	if dsn, err = withDatabase(admin, name); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// NewDatabase makes an empty database and returns its address. It is dropped with the server's directory.
func (s *Server) NewDatabase(ctx context.Context) (dsn string, err error) {
	name, err := createDatabase(ctx, s.dsn("postgres"))
	if err != nil {
		return "", err
	}
	return s.dsn(name), nil
}

// createDatabase copies template0, which nobody can be connected to.
func createDatabase(ctx context.Context, admin string) (name string, err error) {
	name = fmt.Sprintf("t_%d_%d", os.Getpid(), time.Now().UnixNano())
	return name, run(ctx, admin, "create database "+name+" template template0")
}

func run(ctx context.Context, dsn, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// withDatabase replaces the database in a URL or in a list of key=value.
func withDatabase(dsn, name string) (string, error) {
	if !strings.Contains(dsn, "://") {
		return dsn + " dbname=" + name, nil // the last one counts
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", errors.New("TEST_POSTGRES_DSN is not a URL") // the cause would print the password
	}
	u.Path = "/" + name
	return u.String(), nil
}
