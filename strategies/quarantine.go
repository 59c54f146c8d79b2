package strategies

import (
	"fmt"
	"sync"
	"time"
)

const (
	quarantineKills  = 3
	quarantineWindow = 5 * time.Minute
	quarantineKeys   = 10_000
)

// quarantine counts the processes each version has ended. A version that ended too many in a short time is not run
// again: its author must save another one.
type quarantine struct {
	mu    sync.Mutex
	kills map[string][]time.Time
	shut  map[string]Error
}

func newQuarantine() *quarantine {
	return &quarantine{kills: map[string][]time.Time{}, shut: map[string]Error{}}
}

// check returns the error of a quarantined version.
func (q *quarantine) check(s Source) *Error {
	q.mu.Lock()
	defer q.mu.Unlock()
	last, found := q.shut[s.Key]
	if !found {
		return nil
	}
	last.Message = fmt.Sprintf("this version ended %d worker processes within %v and is not run again; save a corrected one (last: %s: %s)",
		quarantineKills, quarantineWindow, last.Kind, last.Message)
	last.Kind, last.Type = KindQuarantined, "Quarantined"
	return &last
}

// count one more process ended by this version; true when that was one too many.
func (q *quarantine) count(s Source, e Error, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.kills) > quarantineKeys || len(q.shut) > quarantineKeys {
		clear(q.kills)
		clear(q.shut)
	}
	var recent []time.Time
	for _, t := range q.kills[s.Key] {
		if now.Sub(t) < quarantineWindow {
			recent = append(recent, t)
		}
	}
	q.kills[s.Key] = append(recent, now)
	if len(q.kills[s.Key]) < quarantineKills {
		return false
	}
	delete(q.kills, s.Key)
	q.shut[s.Key] = e
	return true
}

func (q *quarantine) keys() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []string
	for k := range q.shut {
		out = append(out, k)
	}
	return out
}
