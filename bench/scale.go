package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// scale walks a large campaign from the file to the export, as people do, and says what each step takes. Its contacts
// are due in a month.
func scale(ctx context.Context, l *lab) (result, error) {
	n := l.size(100_000, 2_000)
	postgres := os.Getenv("BENCH_STORE") == "postgres"
	h, err := l.newHouse(ctx, postgres)
	if err != nil {
		return result{}, err
	}
	defer h.close()
	s, err := newScene(ctx, h)
	if err != nil {
		return result{}, err
	}
	if _, err := s.call(ctx, http.MethodPost, s.path("/pause"), nil); err != nil {
		return result{}, err
	}
	before := fmt.Sprintf("worker %.0f MiB, api %.0f MiB", memory(h.worker.pid(), "VmHWM"), memory(h.server.pid(), "VmHWM"))
	file := contactsFile(n, time.Now().Add(30*24*time.Hour))
	watch := watchMemory(h.worker.pid(), h.server.pid())
	var said []string
	step := func(what string, each int, do func() error) error {
		began := time.Now()
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		took := time.Since(began)
		text := fmt.Sprintf("%s %.2f s", what, took.Seconds())
		if each > 0 {
			text += fmt.Sprintf(" (%.0f/s)", float64(each)/took.Seconds())
		}
		l.logf("%s", text)
		said = append(said, text)
		return nil
	}
	err = step("import", n, func() error { return s.upload(ctx, file, time.Hour) })
	if err == nil {
		err = step("launch", n, func() error {
			if _, err := s.call(ctx, http.MethodPost, s.path("/resume"), doc{"policy": "now"}); err != nil {
				return err
			}
			return s.launched(ctx, time.Hour)
		})
	}
	for _, list := range []struct{ name, query string }{
		{"list", ""}, {"filter by stage", "&stage=One"}, {"filter by status", "&status=active"}, {"search", "&q=n77"}, {"deep page", "&cursor=deep"},
	} {
		if err != nil {
			break
		}
		query := list.query
		if query == "&cursor=deep" {
			if query, err = s.deep(ctx); err != nil {
				break
			}
		}
		err = step(list.name, 0, func() error {
			_, err := s.call(ctx, http.MethodGet, s.path("/contacts?limit=50"+query), nil)
			return err
		})
	}
	if err == nil {
		err = step("progress", 0, func() error { _, err := s.call(ctx, http.MethodGet, s.path(""), nil); return err })
	}
	if err == nil {
		err = step("export", n, func() error { return s.export(ctx, n) })
	}
	text, flat := watch.stop()
	if err != nil {
		return result{}, err
	}
	engine, err := h.temporalBytes(ctx)
	if err != nil {
		return result{}, err
	}
	sizes := fmt.Sprintf("Temporal %d MiB", engine>>20)
	if !postgres {
		bytes, err := sqliteBytes(ctx, filepath.Join(h.dir, "carillon.db"))
		if err != nil {
			return result{}, err
		}
		sizes += fmt.Sprintf(", store %d MiB", bytes>>20)
	}
	peaks := fmt.Sprintf("VmHWM before: %s; after: worker %.0f MiB, api %.0f MiB (%s)", before, memory(h.worker.pid(), "VmHWM"), memory(h.server.pid(), "VmHWM"), text)
	l.logf("%s; %s", peaks, sizes)
	return judged(flat, peaks+"; "+sizes, "n = %d: %s", n, strings.Join(said, ", ")), nil
}

// deep returns the query of a page far into the list: after 20 pages of 1,000.
func (s *scene) deep(ctx context.Context) (string, error) {
	query := ""
	for range 20 {
		page, err := s.call(ctx, http.MethodGet, s.path("/contacts?limit=500"+query), nil)
		if err != nil {
			return "", err
		}
		next, _ := page["next_cursor"].(string)
		if next == "" {
			break
		}
		query = "&cursor=" + next
	}
	return query, nil
}

// export streams every contact and counts the lines.
func (s *scene) export(ctx context.Context, want int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+s.path("/contacts/export?format=ndjson"), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	lines, scan := 0, bufio.NewScanner(resp.Body)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		lines++
	}
	if err := scan.Err(); err != nil {
		return err
	}
	if lines != want {
		return fmt.Errorf("%d lines for %d contacts", lines, want)
	}
	return nil
}
