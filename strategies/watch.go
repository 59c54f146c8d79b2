package strategies

import (
	"fmt"
	"time"
)

const watchEvery = 100 * time.Millisecond

// fate is why a worker is ended and, if a call is to blame, how its error reads.
type fate struct {
	kind, name, message string
	innocent            bool // nobody is to blame: retired, or the pool closed
	dump                bool // ask for the stack first
}

// watch ends a worker that its own clock could not stop: stuck in C code, deaf to exceptions, or too large.
func (w *worker) watch() {
	defer close(w.watched)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var serial, seen uint64
	var since time.Time
	var cpu, before time.Duration
	rested := false
	for n := 0; ; n++ {
		select {
		case <-w.exited:
			return
		case <-ticker.C:
		}
		now := time.Now()
		id, step := w.page.read()
		switch {
		case id == 0:
			serial = 0
		case step != serial:
			serial, since, cpu = step, now, cpuTime(w.cmd.Process.Pid)
		default:
			if f := w.overdue(id, now.Sub(since), cpu); f != nil {
				w.end(f)
			}
		}
		if f := w.silent(); f != nil {
			w.end(f)
		}
		if n%3 == 0 {
			w.weigh()
		}
		if n%10 == 0 {
			spent, last, resting := cpuTime(w.cmd.Process.Pid), w.lastCall(), w.resting()
			if n > 0 && rested && resting && last == seen && spent-before > watchEvery {
				w.pool.retire(w) // a thread that a call left behind
			}
			before, seen, rested = spent, last, resting
		}
	}
}

// overdue says whether a step ran past its limits and the grace on top.
func (w *worker) overdue(id uint64, blocked, cpuBefore time.Duration) *fate {
	o := w.pool.options
	l := limits{deadline: defaultDeadline, cpu: o.CPULimit, block: o.BlockLimit}
	w.mu.Lock()
	if p := w.calls[id]; p != nil {
		l = p.limits
	}
	w.mu.Unlock()
	if blocked > l.block+o.Grace {
		return &fate{
			kind: KindCPUTimeout, name: "StrategyTimeout", dump: true,
			message: fmt.Sprintf("blocked for %v and could not be interrupted", l.block),
		}
	}
	if blocked > l.cpu+o.Grace && cpuTime(w.cmd.Process.Pid)-cpuBefore > l.cpu+o.Grace {
		return &fate{
			kind: KindCPUTimeout, name: "StrategyTimeout", dump: true,
			message: fmt.Sprintf("computed for %v and could not be interrupted", l.cpu),
		}
	}
	return nil
}

// silent says whether a call is unanswered beyond everything its worker could need to answer it.
func (w *worker) silent() *fate {
	now, o := w.pool.now(), w.pool.options
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.calls {
		since := p.frame.heard
		if p.waiting {
			since = p.since
		}
		if now.Sub(since) > p.limits.deadline+p.limits.block+2*o.Grace+time.Second {
			return &fate{kind: KindTimeout, name: "StrategyTimeout", dump: true, message: fmt.Sprintf("took longer than %v and gave no answer", p.limits.deadline)}
		}
	}
	return nil
}

// resting says whether there is no call.
func (w *worker) resting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls) == 0
}

// lastCall is the number of the newest call there was.
func (w *worker) lastCall() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nextID
}

// weigh ends a worker that holds more than it may, and replaces a fat one when it rests.
func (w *worker) weigh() {
	bytes := residentBytes(w.cmd.Process.Pid)
	if bytes > w.pool.options.MemoryBytes {
		w.end(&fate{kind: KindMemory, name: "MemoryError", dump: true, message: fmt.Sprintf("held more than %d MiB", w.pool.options.MemoryBytes>>20)})
		return
	}
	if bytes > restBytes {
		w.pool.retire(w)
	}
}

// end ends the worker; the first reason counts. listen notices and does the rest.
func (w *worker) end(f *fate) {
	w.mu.Lock()
	first := w.fate == nil
	if first {
		w.fate = f
	}
	w.mu.Unlock()
	if !first {
		return
	}
	if f.dump {
		w.askDump()
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-w.dump.some:
			// The dump comes in many small writes and needs a moment to be whole.
			settle := time.NewTimer(10 * time.Millisecond)
			select {
			case <-settle.C:
			case <-w.exited:
			}
			settle.Stop()
		case <-timer.C:
		case <-w.exited:
		}
		timer.Stop()
	}
	w.kill()
}
