package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"go.temporal.io/sdk/client"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const adminKey = "ck_bench-admin"

// house is Carillon as three processes on a fresh Temporal dev server with the settings of `carillon dev`, so that
// what each of them costs can be told apart.
type house struct {
	l                        *lab
	temporal, worker, server *process
	dir, hostPort, api       string
	storeAddress             string
	db                       *sql.DB // the store, only to read
	client                   client.Client
	ends                     []func()
}

// newHouse starts everything. BENCH_STORE=postgres keeps the store there.
func (l *lab) newHouse(ctx context.Context, postgres bool) (h *house, err error) {
	h = &house{l: l}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.dir, err = l.newDir(); err != nil {
		return nil, err
	}
	start := func(p **process, env []string, args ...string) error {
		started, err := launch(ctx, env, l.binary, args...)
		if err == nil {
			*p = started
			h.ends = append(h.ends, started.stop)
		}
		return err
	}
	if err := start(&h.temporal, environ(), "temporal", "--data", h.dir, "--port", "0", "--ui-port", "0"); err != nil {
		return nil, err
	}
	h.hostPort = h.temporal.ready["temporal"].(string)
	address, driver, dsn := filepath.Join(h.dir, "carillon.db"), "sqlite", "file:"+filepath.Join(h.dir, "carillon.db")+"?mode=ro&_pragma=busy_timeout(5000)"
	if postgres {
		server, err := l.pg()
		if err != nil {
			return nil, err
		}
		if address, err = server.NewDatabase(ctx); err != nil {
			return nil, err
		}
		driver, dsn = "pgx", address
	}
	h.storeAddress = address
	env := environ("CARILLON_ADMIN_KEY="+adminKey, "CARILLON_LOG_LEVEL=error", "CARILLON_SANDBOX=best-effort", "CARILLON_SECRET_KEY=a text that is long enough",
		"CARILLON_DATABASE_URL="+address, "TEMPORAL_ADDRESS="+h.hostPort)
	migrated, err := launchToEnd(ctx, env, l.binary, "migrate", "--temporal")
	if err != nil {
		return nil, fmt.Errorf("migrate: %w\n%s", err, migrated)
	}
	if err := start(&h.worker, env, "worker"); err != nil {
		return nil, err
	}
	if err := start(&h.server, env, "api", "--listen", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	h.api = h.server.ready["api"].(string)
	if h.db, err = sql.Open(driver, dsn); err != nil {
		return nil, err
	}
	h.ends = append(h.ends, func() { _ = h.db.Close() })
	if h.client, err = client.DialContext(ctx, client.Options{HostPort: h.hostPort, Logger: silent{}}); err != nil {
		return nil, err
	}
	h.ends = append(h.ends, h.client.Close)
	return h, nil
}

func (h *house) close() {
	for i := len(h.ends) - 1; i >= 0; i-- {
		h.ends[i]()
	}
}

// number reads one number of the store; 0 if there is no row.
func (h *house) number(ctx context.Context, query string, args ...any) (n int, err error) {
	err = h.db.QueryRowContext(ctx, query, args...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", query, err)
	}
	return n, nil
}

// doc is a decoded JSON object.
type doc = map[string]any

// send sends one request and returns the status and body; a string goes as CSV, anything else as JSON.
func (h *house) send(ctx context.Context, method, path string, body any) (int, []byte, error) {
	kind, raw := "text/csv", []byte(nil)
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		kind = "application/json"
		raw, _ = json.Marshal(b) // maps of texts and numbers
	}
	req, err := http.NewRequestWithContext(ctx, method, h.api+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	return resp.StatusCode, out, err
}

// call sends a request that has to succeed.
func (h *house) call(ctx context.Context, method, path string, body any) (doc, error) {
	status, raw, err := h.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if status >= 300 {
		return nil, fmt.Errorf("%s %s: %d %.500s", method, path, status, raw)
	}
	var d doc
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &d)
	}
	return d, err
}

// until asks again and again, at most within a time.
func until(ctx context.Context, within time.Duration, what string, check func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("not within %s: %s", within, what))
	defer cancel()
	for {
		if ok, err := check(); ok || err != nil {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// silent is the logger of clients.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
