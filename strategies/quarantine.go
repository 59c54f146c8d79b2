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
	kills map[version][]time.Time
	shut  map[version]Error
}

// version is a campaign's: another one that has the same code may do well with it.
type version struct{ campaign, key string }

func newQuarantine() *quarantine {
	return &quarantine{kills: map[version][]time.Time{}, shut: map[version]Error{}}
}

// check returns the error of a quarantined version.
func (q *quarantine) check(campaign string, s Source) *Error {
	q.mu.Lock()
	last, found := q.shut[version{campaign, s.Key}]
	q.mu.Unlock()
	if !found && !s.Quarantined {
		return nil
	}
	why := fmt.Sprintf("this version ended %d worker processes within %v and is not run again; save a corrected one", quarantineKills, quarantineWindow)
	if found {
		why += fmt.Sprintf(" (last: %s: %s)", last.Kind, last.Message)
	}
	last.Kind, last.Type, last.Message, last.File = KindQuarantined, "Quarantined", why, s.Filename
	return &last
}

// count one more process ended by this version; true when that was one too many.
func (q *quarantine) count(campaign string, s Source, e Error, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	v := version{campaign, s.Key}
	if len(q.kills) > quarantineKeys || len(q.shut) > quarantineKeys {
		clear(q.kills)
		clear(q.shut)
	}
	var recent []time.Time
	for _, t := range q.kills[v] {
		if now.Sub(t) < quarantineWindow {
			recent = append(recent, t)
		}
	}
	q.kills[v] = append(recent, now)
	if len(q.kills[v]) < quarantineKills {
		return false
	}
	delete(q.kills, v)
	q.shut[v] = e
	return true
}

func (q *quarantine) keys() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []string
	for v := range q.shut {
		out = append(out, v.key)
	}
	return out
}
