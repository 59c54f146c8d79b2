package strategies

import "slices"

// adopt makes a started worker one of the pool.
func (p *Pool) adopt(w *worker) {
	p.workers = append(p.workers, w)
	p.goroutines.Add(1)
	go w.listen()
	go w.watch()
}

// start starts a worker for a key; its waiters hear of a failure.
func (p *Pool) start(k key) {
	p.starting[k]++
	p.goroutines.Add(1)
	go func() {
		defer p.goroutines.Done()
		w, err := p.startWorker(k)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.starting[k]--; p.starting[k] == 0 {
			delete(p.starting, k)
		}
		switch {
		case err != nil:
			for _, wt := range p.waiters {
				if wt.key == k {
					wt.refuse(noWorker(err))
				}
			}
			p.waiters = slices.DeleteFunc(p.waiters, func(wt *waiter) bool { return wt.key == k })
		case p.closed:
			p.discard(w)
			return
		default:
			p.bind(w, k)
			p.adopt(w)
		}
		p.schedule()
	}()
}

// refill starts the spare anew. Nobody waits for it, so nobody hears of a failure: the next to need one starts it.
func (p *Pool) refill() {
	if p.sparing || p.spare != nil || p.closed {
		return
	}
	p.sparing = true
	p.goroutines.Add(1)
	go func() {
		defer p.goroutines.Done()
		w, err := p.startWorker(key{})
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sparing = false
		switch {
		case err != nil:
		case p.closed:
			p.discard(w)
		default:
			p.adopt(w)
			p.spare = w
			p.schedule()
		}
	}()
}

// discard ends a worker that was started for nothing.
func (p *Pool) discard(w *worker) {
	p.adopt(w)
	go w.end(&fate{innocent: true, message: "closed"})
}

// stepped notes that a worker may take another frame, that one ended, or both.
func (p *Pool) stepped(w *worker, d *dispatch, step, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if step {
		w.stepping = false
	}
	if ended {
		w.open--
		w.served += len(d.calls)
		if d.exclusive {
			w.exclusive = false
		}
		p.rest(w)
	}
	p.schedule()
}

// blocked notes that a version held its worker for a while without an await.
func (p *Pool) blocked(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.slow) > quarantineKeys {
		clear(p.slow)
	}
	p.slow[key] = true
}

func (p *Pool) blocks(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slow[key]
}

// rest notes that a worker did something, and replaces it if it did enough.
func (p *Pool) rest(w *worker) {
	now := p.now()
	w.usedAt = now
	if w.served >= p.options.MaxCalls || now.Sub(w.born) >= p.options.MaxAge {
		w.retiring = true
	}
	if w.retiring && w.open == 0 {
		p.dismiss(w)
	}
}

// retire lets a worker finish what it has and then ends it.
func (p *Pool) retire(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.retiring = true
	if w.bound && w.open == 0 {
		p.dismiss(w)
	}
}

// dismiss ends a worker that does nothing.
func (p *Pool) dismiss(w *worker) {
	w.retiring = true
	go w.end(&fate{innocent: true, message: "retired"})
}

// remove forgets a dead worker.
func (p *Pool) remove(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers = slices.DeleteFunc(p.workers, func(o *worker) bool { return o == w })
	if p.spare == w {
		p.spare = nil
		p.refill()
	}
	p.schedule()
}
