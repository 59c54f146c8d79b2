package api

import (
	"context"
	"sync"
	"time"

	"carillon/store"
)

// courier tells workflows of committed events behind the requests that brought
// them: a provider is answered as soon as its events are safe. What it cannot
// tell, or has no room for, the relay finds in the inbox.
type courier struct {
	server *Server
	stop   context.Context
	cancel context.CancelFunc
	rounds sync.WaitGroup

	mu      sync.Mutex
	waiting []store.InboxEvent
	under   bool // a round is under way
	closed  bool
}

// courierRoom bounds the events that wait; courierTime bounds one round.
const (
	courierRoom = 2000
	courierTime = 30 * time.Second
)

func newCourier(s *Server) *courier {
	c := &courier{server: s}
	c.stop, c.cancel = context.WithCancel(context.Background())
	return c
}

// send takes events to be told.
func (c *courier) send(events []store.InboxEvent) {
	if c.server.Relay == nil || c.server.Temporal == nil || len(events) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.waiting)+len(events) > courierRoom {
		return
	}
	c.waiting = append(c.waiting, events...)
	if !c.under {
		c.under = true
		c.rounds.Go(c.round)
	}
}

// round tells everything that waits, and ends when nothing does.
func (c *courier) round() {
	for {
		c.mu.Lock()
		events := c.waiting
		c.waiting = nil
		if len(events) == 0 || c.stop.Err() != nil {
			c.under = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		ctx, cancel := context.WithTimeout(c.stop, courierTime)
		if err := c.server.Relay.DeliverAll(ctx, events); err != nil && c.stop.Err() == nil {
			c.server.Log.Warn("events not delivered yet", "events", len(events), "error", err)
		}
		cancel()
	}
}

func (c *courier) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.rounds.Wait()
}
