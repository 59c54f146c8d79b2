package strategies

import (
	"context"
	"errors"
	"fmt"

	"carillon/strategies/sandbox"
)

// maxRuns is how often a call is sent before it is given up as worker_lost.
const maxRuns = 3

// Run runs one call. The error is trouble of the system, an *Error of such a kind, ErrClosed or the context's; what the
// strategy itself did wrong is Result.Err. Once it returned, nothing of the call runs any more, save when ctx ended first:
// then the worker is told to drop the call, and a call that goes on is ended at its deadline.
func (p *Pool) Run(ctx context.Context, j Job, c Call) (Result, error) {
	results, err := p.RunBatch(ctx, j, []Call{c})
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
}

// RunBatch runs many calls of one job and returns their results in order. They share one worker and run one after the
// other, those that wait side by side. A call that ends the process loses only itself: the others run once more.
func (p *Pool) RunBatch(ctx context.Context, j Job, calls []Call) ([]Result, error) {
	j, err := checkJob(j)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(calls))
	l := p.options.limitsOf(j)
	todo := make([]*pending, len(calls))
	for i, c := range calls {
		if err := checkCall(c); err != nil {
			return nil, fmt.Errorf("run strategy: call %d: %w", i, err)
		}
		if c.Now.IsZero() {
			c.Now = p.now()
		}
		todo[i] = &pending{call: c, index: i, limits: l}
	}
	alone := false // after a death nobody could be blamed for, calls run one by one
	for len(todo) > 0 {
		if e := p.quarantine.check(j.CampaignID, j.Source); e != nil {
			for _, c := range todo {
				results[c.index] = Result{Err: e}
			}
			break
		}
		n := frameSize(todo, alone)
		lost, blamed, err := p.runFrame(ctx, j, l, todo[:n], results, alone)
		if err != nil {
			return nil, err
		}
		todo = append(lost, todo[n:]...)
		if len(lost) > 0 && !blamed {
			alone = true
		}
	}
	return results, nil
}

// runFrame runs some calls in one frame. It returns those that are lost with their worker and not to blame.
func (p *Pool) runFrame(ctx context.Context, j Job, l limits, calls []*pending, results []Result, alone bool) (lost []*pending, blamed bool, err error) {
	alone = alone || p.blocks(j.Source.Key)
	d := &dispatch{calls: calls, source: j.Source, exclusive: alone}
	k := key{campaign: j.CampaignID, timezone: j.Timezone, network: j.Network && p.options.Egress != nil}
	w, err := p.acquire(ctx, k, alone)
	if err != nil {
		return nil, false, err
	}
	loadError, err := p.load(w, j, l)
	switch {
	case loadError != nil:
		p.putBack(w)
		for _, c := range calls {
			results[c.index] = Result{Err: loadError}
		}
		return nil, false, nil
	case errors.Is(err, errGone):
		return p.again(calls, results), false, nil
	case err != nil:
		return nil, false, err
	}
	if err := w.register(d); err != nil {
		return p.again(calls, results), false, nil //nolint:nilerr // the worker is gone: the calls run again
	}
	frame := runFrame(j, l, calls)
	if err := w.write(frame); errors.Is(err, errFrame) {
		w.end(&fate{innocent: true, message: "a frame was too large"})
		<-d.done
		return nil, false, fmt.Errorf("run strategy: %w: %d bytes", errFrame, len(frame))
	}
	select {
	case <-d.done:
	case <-ctx.Done():
		w.drop(d)
		return nil, false, fmt.Errorf("run strategy: %w", ctx.Err())
	}
	for _, c := range calls {
		switch {
		case c.answered:
			results[c.index] = c.reply.result()
		case d.culprit == c:
			blamed = true
			results[c.index] = Result{Err: d.blame}
		default:
			lost = append(lost, c)
		}
	}
	return p.again(lost, results), blamed, p.lostForGood(lost)
}

// again counts a run of lost calls and gives up those that were lost too often.
func (p *Pool) again(lost []*pending, results []Result) (rest []*pending) {
	for _, c := range lost {
		if c.runs++; c.runs >= maxRuns {
			results[c.index] = Result{Err: &Error{Kind: KindWorkerLost, Type: "WorkerLost", Message: "the worker process was lost several times, not by this call's fault"}}
			continue
		}
		rest = append(rest, c)
	}
	return rest
}

// lostForGood says why lost calls cannot run again: the pool was closed under them.
func (p *Pool) lostForGood(lost []*pending) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(lost) > 0 && p.closed {
		return ErrClosed
	}
	return nil
}

// load binds a fresh worker and gives it the source, once. The caller holds the step. A load that ended the worker is
// the source's error; errGone means that the worker died for another reason.
func (p *Pool) load(w *worker, j Job, l limits) (*Error, error) {
	s := j.Source
	if e, found := w.loaded[s.Key]; found {
		return e, nil
	}
	if len(w.loaded) == 0 {
		b := bindFrame{T: "bind", TZ: j.Timezone, ResultLimit: p.options.ResultBytes, Grace: p.options.Grace.Seconds()}
		if err := w.writeJSON(b); err != nil {
			return nil, errGone
		}
	}
	r, blame, err := p.ask(w, s, l, sourceFrame{T: "load"})
	switch {
	case blame != nil:
		return blame, nil
	case err != nil:
		return nil, err
	}
	if r.Error != nil && !r.Error.User() {
		w.end(&fate{innocent: true, message: r.Error.Message})
		return nil, fmt.Errorf("load strategy: %w", r.Error)
	}
	if len(w.loaded) > 100 {
		p.retire(w) // old versions are never unloaded
	}
	w.loaded[s.Key] = r.Error
	return r.Error, nil
}

// ask sends a source to be loaded or checked and waits for the answer.
func (p *Pool) ask(w *worker, s Source, l limits, f sourceFrame) (reply, *Error, error) {
	c := &pending{limits: l}
	d := &dispatch{calls: []*pending{c}, source: s, loads: true}
	if err := w.register(d); err != nil {
		return reply{}, nil, err
	}
	f.ID, f.Key, f.Type, f.Function, f.Filename, f.Code = c.id, s.Key, s.Type, s.Function, s.Filename, s.Code
	f.Deadline, f.CPU, f.Wall = l.deadline.Seconds(), l.cpu.Seconds(), l.block.Seconds()
	if err := w.writeJSON(f); errors.Is(err, errFrame) {
		w.end(&fate{innocent: true, message: "a source was too large"})
		<-d.done
		return reply{}, &Error{Kind: KindInvalidSource, Type: "Size", Message: "the code is too large", File: s.Filename, Line: 1}, nil
	}
	<-d.done // within its limits, or the worker is gone
	switch {
	case c.answered:
		return c.reply, nil, nil
	case d.blame != nil:
		return reply{}, d.blame, nil
	default:
		return reply{}, nil, errGone
	}
}

// drop tells a worker that nobody waits for these calls any more. Their answers are still awaited there.
func (w *worker) drop(d *dispatch) {
	var ids []uint64
	w.mu.Lock()
	for _, c := range d.calls {
		if !c.answered {
			ids = append(ids, c.id)
		}
	}
	w.mu.Unlock()
	_ = w.writeJSON(cancelFrame{T: "cancel", IDs: ids}) // a dead worker drops them anyhow
}

// condemn counts a process ended by a version.
func (p *Pool) condemn(w *worker, s Source, e Error) {
	if s.Key != "" && p.quarantine.count(w.key.campaign, s, e, p.now()) && p.options.OnQuarantine != nil {
		p.options.OnQuarantine(w.key.campaign, s, e)
	}
}

func frameSize(todo []*pending, alone bool) int {
	if alone {
		return 1
	}
	bytes := 0
	for n, c := range todo {
		bytes += c.size()
		if n > 0 && (bytes > framesCap || n >= batchCap) {
			return n
		}
	}
	return len(todo)
}

func noWorker(err error) error {
	kind := KindNoWorker
	if errors.Is(err, sandbox.ErrUnavailable) {
		kind = KindSandboxUnavailable
	}
	if errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("start strategy worker: %w", &Error{Kind: kind, Type: "Start", Message: err.Error()})
}
