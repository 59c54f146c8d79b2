package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"carillon/campaign"
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
		if err := c.deliver(ctx, events); err != nil && c.stop.Err() == nil {
			c.server.Log.Warn("events not delivered yet", "events", len(events), "error", err)
		}
		cancel()
	}
}

// deliver tells what contacts wrote first and side by side: somebody waits for an
// answer. Reports on messages follow one by one, when there is room: they come in
// bursts, and are not to take the machine from the webhooks that bring them.
func (c *courier) deliver(ctx context.Context, events []store.InboxEvent) error {
	var words, reports []store.InboxEvent
	for _, e := range events {
		if e.Kind == string(campaign.EventMessage) {
			words = append(words, e)
		} else {
			reports = append(reports, e)
		}
	}
	err := c.server.Relay.DeliverAll(ctx, words)
	for _, e := range reports {
		if !c.room(ctx) {
			break
		}
		err = errors.Join(err, c.server.Relay.Deliver(ctx, e))
	}
	return err
}

// room waits until webhooks do not come in a burst; false if the round is over.
func (c *courier) room(ctx context.Context) bool {
	for c.server.hooks.burst.is() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(burstSpan / 4):
		}
	}
	return ctx.Err() == nil
}

// burst tells whether something happens often at the moment.
type burst struct {
	mu    sync.Mutex
	since time.Time
	n     int
	often bool
}

// More than burstSize times within burstSpan is often.
const (
	burstSpan = 100 * time.Millisecond
	burstSize = 30
)

// count counts one more.
func (b *burst) count() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	b.n++
}

func (b *burst) is() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn()
	return b.often || b.n > burstSize
}

// turn begins the next span when one is over.
func (b *burst) turn() {
	passed := time.Since(b.since)
	if passed < burstSpan {
		return
	}
	b.often = b.n > burstSize && passed < 2*burstSpan
	b.since, b.n = time.Now(), 0
}

func (c *courier) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.rounds.Wait()
}
