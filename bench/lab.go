package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"carillon/internal/pgtest"
)

// fullN is BENCH_N's default: the contacts of one run of the throughput row. All other sizes follow it.
const fullN = 400

// lab is what the rows share: a directory, the binary under test, a PostgreSQL server if there is one.
type lab struct {
	dir    string
	binary string
	n      int
	pg     func() (*pgtest.Server, error)
	ends   []func()
	mu     sync.Mutex
	dirs   int
}

func newLab(ctx context.Context) (*lab, error) {
	l := &lab{n: fullN}
	if text := os.Getenv("BENCH_N"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("BENCH_N=%s is not a number of contacts", text)
		}
		l.n = n
	}
	var err error
	if l.dir, err = os.MkdirTemp(os.Getenv("BENCH_DIR"), "carillon-bench"); err != nil {
		return nil, err
	}
	l.ends = append(l.ends, func() { _ = os.RemoveAll(l.dir) })
	l.pg = sync.OnceValues(func() (*pgtest.Server, error) {
		s, err := pgtest.Start(ctx)
		if err == nil {
			l.ends = append(l.ends, s.Stop)
		}
		return s, err
	})
	if l.binary = os.Getenv("CARILLON_BINARY"); l.binary == "" {
		l.binary = filepath.Join(l.dir, "carillon")
		l.logf("building carillon")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", l.binary, "carillon/cmd/carillon").CombinedOutput(); err != nil {
			l.close()
			return nil, fmt.Errorf("build carillon: %w\n%s", err, out)
		}
	}
	return l, nil
}

func (l *lab) close() {
	for i := len(l.ends) - 1; i >= 0; i-- {
		l.ends[i]()
	}
}

// size scales a full size by BENCH_N, and is at least the least.
func (l *lab) size(full, least int) int { return max(full*l.n/fullN, min(least, full)) }

// newDir makes an empty directory.
func (l *lab) newDir() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirs++
	dir := filepath.Join(l.dir, strconv.Itoa(l.dirs))
	return dir, os.MkdirAll(dir, 0o700)
}

// logf tells how it goes; the table alone goes to standard output.
func (l *lab) logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
