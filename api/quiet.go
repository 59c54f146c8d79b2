package api

import (
	"log/slog"
	"sync"
	"time"
)

// quiet logs what anybody outside can cause at will: each subject once in a
// while, with how often it happened since.
type quiet struct {
	log  *slog.Logger
	mu   sync.Mutex
	last map[string]*silence
}

type silence struct {
	until time.Time
	times int
}

// quietTime is how long a subject is not logged again; quietSubjects bounds
// how many are told apart.
const (
	quietTime     = 30 * time.Second
	quietSubjects = 1000
)

func newQuiet(log *slog.Logger) *quiet { return &quiet{log: log, last: map[string]*silence{}} }

// warn logs unless the subject was logged a short while ago.
func (q *quiet) warn(subject, message string, args ...any) {
	q.mu.Lock()
	now := time.Now()
	s := q.last[subject]
	if s == nil {
		if len(q.last) >= quietSubjects {
			clear(q.last)
		}
		s = &silence{}
		q.last[subject] = s
	}
	s.times++
	if now.Before(s.until) {
		q.mu.Unlock()
		return
	}
	times := s.times
	s.until, s.times = now.Add(quietTime), 0
	q.mu.Unlock()
	q.log.Warn(message, append(args, "times", times)...) //nolint:sloglint // the callers' messages are constants
}
