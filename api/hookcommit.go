package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"carillon/store"
)

// Bounds of one group: more events wait for the next one.
const (
	groupEvents = 500
	groupTime   = 10 * time.Second
)

// group commits the events of many requests in one transaction: the disk is
// waited for once. There is no timer and no process of its own. Whoever finds
// nobody committing commits for all that wait; while it does, the next gather.
type group struct {
	commit func(ctx context.Context, events []store.ProviderEvent) error
	turn   chan struct{} // held by whoever commits

	mu      sync.Mutex
	waiting []*grouped
}

// grouped is one request's events and what became of them.
type grouped struct {
	events []store.ProviderEvent
	done   chan struct{}
	err    error
}

func newGroup(commit func(ctx context.Context, events []store.ProviderEvent) error) *group {
	return &group{commit: commit, turn: make(chan struct{}, 1)}
}

// add returns once the events are committed, or surely are not.
func (g *group) add(ctx context.Context, events []store.ProviderEvent) error {
	mine := &grouped{events: events, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, mine)
	g.mu.Unlock()
	for {
		select {
		case <-mine.done:
			return mine.err
		case g.turn <- struct{}{}:
			g.commitNext(ctx)
		}
	}
}

// commitNext commits a group and lets the next one in, also when it panics: the
// request that commits is answered 500, and the others come again.
func (g *group) commitNext(ctx context.Context) {
	defer func() { <-g.turn }()
	g.next(ctx)
}

// errPanicked is what became of a group whose commit panicked.
var errPanicked = errors.New("the commit panicked")

// next commits those that wait longest. The others of the group must not end
// with the request that commits for them.
func (g *group) next(ctx context.Context) {
	g.mu.Lock()
	n, size := 0, 0
	for n < len(g.waiting) && (n == 0 || size+len(g.waiting[n].events) <= groupEvents) {
		size += len(g.waiting[n].events)
		n++
	}
	these := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	if len(g.waiting) == 0 {
		g.waiting = nil
	}
	g.mu.Unlock()
	if n == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTime)
	defer cancel()
	all := make([]store.ProviderEvent, 0, size)
	for _, one := range these {
		all = append(all, one.events...)
	}
	answered := 0
	defer func() {
		for _, one := range these[answered:] {
			one.err = errPanicked
			close(one.done)
		}
	}()
	err := g.commit(ctx, all)
	for _, one := range these {
		if one.err = err; err != nil && n > 1 { // one that cannot be committed is not to keep the others
			one.err = g.commit(ctx, one.events)
		}
		answered++
		close(one.done)
	}
}
