package inbound

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// turn is one holder's turn, again and again, to poll an integration.
type turn struct {
	listener    *Listener
	integration *campaign.Integration
	poller      channels.Poller
	holder      string
	works       bool // and the integration says so, in this turn
}

// poll takes the turn, if it is to be had, and polls for as long as it lasts and
// the provider goes on. held says whether it polled.
func (t *turn) poll(ctx context.Context) (held bool, err error) {
	t.works = false
	cursor, held, err := t.take(ctx)
	if err != nil || !held {
		return false, err
	}
	mine, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		t.keep(mine, cancel)
	}()
	err = t.ask(mine, cursor)
	if lost := context.Cause(mine); lost != nil {
		err = lost
	}
	cancel(nil)
	<-kept
	if err == nil {
		t.well(ctx)
	}
	return true, err
}

// well shows that polling works, once in a turn.
func (t *turn) well(ctx context.Context) {
	if !t.works {
		t.works = true
		t.listener.show(ctx, t.integration, "")
	}
}

// ask polls once. What a message made panic is an error: the worker goes on.
func (t *turn) ask(ctx context.Context, cursor string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.listener.Log.Error("poller panicked", "integration_id", t.integration.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("poll %s: panic", t.integration.Provider)
		}
	}()
	return t.poller.Poll(ctx, cursor, t.commit)
}

// take takes or keeps the turn.
func (t *turn) take(ctx context.Context) (cursor string, held bool, err error) {
	now := t.listener.now()
	return t.listener.Store.TakePoll(ctx, t.integration.ID, t.holder, now, now.Add(or(t.listener.TurnTime, 15*time.Second)))
}

// keep keeps the turn until ctx ends, and ends it when the turn is lost. While the
// store is away the turn goes on: commits fail, and nothing is taken from the provider.
func (t *turn) keep(ctx context.Context, lost context.CancelCauseFunc) {
	tick := time.NewTicker(or(t.listener.TurnTime, 15*time.Second) / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, held, err := t.take(ctx); err == nil && !held {
			lost(store.ErrStale)
			return
		}
	}
}

// tellTime bounds how long contacts are told before the provider is asked on: what
// is not told in it the relay tells.
const tellTime = 10 * time.Second

// commit implements [channels.Commit].
func (t *turn) commit(ctx context.Context, reports []channels.Report, cursor string) error {
	l := t.listener
	events := Events(t.integration.Provider, t.integration.ID, reports)
	told, err := l.Store.CommitPoll(ctx, t.integration.ID, t.holder, cursor, events, l.now())
	if err != nil {
		return err
	}
	for i := range events {
		if events[i].Withheld() { // a person has to look
			l.Log.Warn("message given up", "provider", t.integration.Provider, "integration_id", t.integration.ID, "key", events[i].Key, "reason", events[i].Reason)
		}
	}
	t.well(ctx)
	if l.Relay == nil || len(told) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	if err := l.Relay.DeliverAll(ctx, told); err != nil {
		l.Log.Warn("events not delivered yet", "events", len(told), "error", err)
	}
	return nil
}

// release lets another poll at once, also when ctx has ended.
func (t *turn) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	if err := t.listener.Store.ReleasePoll(ctx, t.integration.ID, t.holder); err != nil {
		t.listener.Log.Warn("turn to poll not given back", "integration_id", t.integration.ID, "error", err)
	}
}
