package strategies

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// waiter is a caller in want of a worker, served in order of arrival.
type waiter struct {
	key       key
	exclusive bool
	served    bool
	got       chan *worker // buffered
	err       error        // set before got is closed
}

func (wt *waiter) refuse(err error) {
	wt.err = err
	close(wt.got)
}

// acquire returns a worker of this key whose step the caller holds.
func (p *Pool) acquire(ctx context.Context, k key, exclusive bool) (*worker, error) {
	wt := &waiter{key: k, exclusive: exclusive, got: make(chan *worker, 1)}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.waiters = append(p.waiters, wt)
	p.schedule()
	p.mu.Unlock()
	select {
	case w, ok := <-wt.got:
		if !ok {
			return nil, wt.err
		}
		return w, nil
	case <-ctx.Done():
		p.mu.Lock()
		p.waiters = slices.DeleteFunc(p.waiters, func(o *waiter) bool { return o == wt })
		p.mu.Unlock()
		select {
		case w, ok := <-wt.got:
			if ok {
				p.putBack(w)
			}
		default:
		}
		return nil, fmt.Errorf("wait for a strategy worker: %w", ctx.Err())
	}
}

// putBack returns a worker nothing was sent to.
func (p *Pool) putBack(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.stepping, w.exclusive = false, false
	w.open--
	p.rest(w)
	p.schedule()
}

// schedule serves waiters as far as it can. The caller holds the lock.
func (p *Pool) schedule() {
	if p.closed || len(p.waiters) == 0 {
		return
	}
	held := map[key]bool{} // by someone who wants a worker alone and would never get it if others went first
	for _, wt := range p.waiters {
		if held[wt.key] {
			continue
		}
		w := p.pick(wt)
		held[wt.key] = w == nil && wt.exclusive
		if w != nil {
			w.stepping, w.exclusive = true, wt.exclusive
			w.open++
			wt.served = true
			wt.got <- w
		}
	}
	p.waiters = slices.DeleteFunc(p.waiters, func(wt *waiter) bool { return wt.served })
}

func (p *Pool) pick(wt *waiter) *worker {
	var best *worker
	for _, w := range p.workers {
		if !w.bound || w.key != wt.key || w.retiring || w.stepping || w.exclusive || w.open >= p.options.Concurrency || (wt.exclusive && w.open > 0) {
			continue
		}
		if best == nil || w.open < best.open {
			best = w
		}
	}
	if best != nil {
		return best
	}
	if p.starting[wt.key] >= p.wanting(wt.key) || !p.room(wt.key) {
		return nil
	}
	if p.spare != nil && !wt.key.network {
		w := p.spare
		p.spare = nil
		p.bind(w, wt.key)
		p.refill()
		return w
	}
	p.start(wt.key)
	return nil
}

// room says whether one more worker may be bound, ending a resting one of another campaign if need be.
func (p *Pool) room(k key) bool {
	used := 0
	for _, n := range p.starting {
		used += n
	}
	var oldest *worker
	now := p.now()
	for _, w := range p.workers {
		if !w.bound || w.retiring {
			continue
		}
		used++
		if w.open > 0 || w.key == k {
			continue
		}
		if now.Sub(w.boundAt) < residency && p.wanting(w.key) > 0 {
			p.tryLater() // or two campaigns would only take each other's place
			continue
		}
		if oldest == nil || w.usedAt.Before(oldest.usedAt) {
			oldest = w
		}
	}
	if used < p.options.Workers {
		return true
	}
	if oldest == nil {
		return false
	}
	p.dismiss(oldest)
	return true
}

func (p *Pool) wanting(k key) int {
	n := 0
	for _, wt := range p.waiters {
		if wt.key == k && !wt.served {
			n++
		}
	}
	return n
}

func (p *Pool) tryLater() {
	if p.resident != nil {
		return
	}
	p.resident = time.AfterFunc(residency, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.resident = nil
		p.schedule()
	})
}

func (p *Pool) bind(w *worker, k key) {
	w.key, w.bound, w.boundAt = k, true, p.now()
}
