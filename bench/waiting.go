package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"time"

	"carillon/workflows"
)

// waiting launches contacts whose first date is a month away, and looks at what each of them takes.
func waiting(ctx context.Context, l *lab) (result, error) {
	n := l.size(2000, 200)
	h, err := l.newHouse(ctx, false)
	if err != nil {
		return result{}, err
	}
	defer h.close()
	s, err := newScene(ctx, h)
	if err != nil {
		return result{}, err
	}
	if err := s.walk(ctx, 30); err != nil { // caches and pools are filled by it
		return result{}, err
	}
	before, err := h.temporalBytes(ctx)
	if err != nil {
		return result{}, err
	}
	if err := s.add(ctx, n, time.Now().Add(30*24*time.Hour)); err != nil {
		return result{}, err
	}
	if err := s.launched(ctx, 5*time.Minute); err != nil {
		return result{}, err
	}
	after, err := h.temporalBytes(ctx)
	if err != nil {
		return result{}, err
	}
	writes, events, err := s.waiters(ctx)
	if err != nil {
		return result{}, err
	}
	each := float64(after-before) / float64(n) / 1024
	// A run that was never handed to a worker has no workflow task in its history: only the start.
	return judged(writes <= 1 && events <= 1 && each <= 30,
		fmt.Sprintf("n = %d; worker's memory %.0f MiB", n, memory(h.worker.pid(), "VmRSS")),
		"%d write, %.1f KB, %d tasks given to a worker", writes, each, events-1), nil
}

// launched waits until every planned contact has their workflow started.
func (s *scene) launched(ctx context.Context, within time.Duration) error {
	return until(ctx, within, "the contacts are launched", func() (bool, error) {
		left, err := s.number(ctx, `select count(*) from contacts where campaign_id = $1 and planned and launched_at is null`, s.id)
		return left == 0, err
	})
}

// waiters returns the most state transitions and events of a sample of the waiting contacts.
func (s *scene) waiters(ctx context.Context) (writes, events int64, err error) {
	rows, err := s.db.QueryContext(ctx, `select id from contacts where campaign_id = $1 and planned order by id limit 100`, s.id)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return 0, 0, err
		}
		described, err := s.client.DescribeWorkflowExecution(ctx, workflows.ContactWorkflowID(s.id, id), "")
		if err != nil {
			return 0, 0, err
		}
		info := described.GetWorkflowExecutionInfo()
		writes, events = max(writes, info.GetStateTransitionCount()), max(events, info.GetHistoryLength())
	}
	return writes, events, rows.Err()
}

// temporalBytes is the size of the dev server's database, without what is free in it.
func (h *house) temporalBytes(ctx context.Context) (int64, error) {
	return sqliteBytes(ctx, filepath.Join(h.dir, "temporal.db"))
}

func sqliteBytes(ctx context.Context, path string) (int64, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	var pages, free, size int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := db.QueryRowContext(ctx, "pragma "+pragma).Scan(into); err != nil {
			return 0, fmt.Errorf("size of %s: %w", path, err)
		}
	}
	return (pages - free) * size, nil
}
