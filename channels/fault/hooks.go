package fault

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Hooks sends a fake's webhooks, one after the other in the order they were
// made, and misbehaves to order. As providers do it repeats what was not
// accepted: a server that is down, or answers 5xx, gets it again.
type Hooks struct {
	request func(w *Webhook) (*http.Request, error) // lives as long as the owner
	ended   <-chan struct{}
	client  *http.Client
	queue   sync.WaitGroup

	mu     sync.Mutex
	twists []Twist
	kept   []func() // what comes later than its turn
	last   chan struct{}
	failed []string
}

// Webhook is one request of a provider to us.
type Webhook struct {
	URL    string
	Type   string // of the body; JSON if it is not set
	Body   []byte
	Signed Signature
}

// Signature sets the headers that prove to the receiver at url who sent the
// body, as the provider does at a moment.
type Signature func(h http.Header, url string, body []byte, at time.Time)

// Twist is what goes wrong with one webhook. The zero Twist is nothing.
type Twist struct {
	Again  int           // it comes so many times more
	Later  bool          // it comes after the next one
	Forged bool          // its signature is of another body
	Bare   bool          // it has no signature
	Age    time.Duration // it was signed so long ago: late, or too old
}

// NewHooks makes the sender of a fake's webhooks; it ends with its owner.
func NewHooks(o Owner) *Hooks {
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan struct{})
	close(first)
	h := &Hooks{client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, ended: ctx.Done(), last: first}
	h.request = func(w *Webhook) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(w.Body))
	}
	o.Cleanup(func() {
		cancel()
		h.queue.Wait()
		h.client.CloseIdleConnections()
	})
	return h
}

// Twist orders what goes wrong with the next webhooks, one each.
func (h *Hooks) Twist(twists ...Twist) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.twists = append(h.twists, twists...)
}

// Send queues a webhook, and sends it when those before it were accepted or
// refused.
func (h *Hooks) Send(w Webhook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var t Twist
	if len(h.twists) > 0 {
		t, h.twists = h.twists[0], h.twists[1:]
	}
	send := func() {
		for range 1 + t.Again {
			h.enqueue(w, t)
		}
	}
	if t.Later {
		h.kept = append(h.kept, send)
		return
	}
	send()
	for _, late := range h.kept {
		late()
	}
	h.kept = nil
}

// Refused returns the answers other than 2xx that webhooks got, such as "401 /hooks/meta/x".
func (h *Hooks) Refused() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.failed...)
}

// Flush waits until everything that was queued so far was accepted or refused.
func (h *Hooks) Flush() {
	h.mu.Lock()
	last := h.last
	h.mu.Unlock()
	select {
	case <-last:
	case <-h.ended:
	}
}

// enqueue sends after what was queued last. The caller holds the lock.
func (h *Hooks) enqueue(w Webhook, t Twist) {
	before, done := h.last, make(chan struct{})
	h.last = done
	h.queue.Go(func() {
		defer close(done)
		select {
		case <-before:
		case <-h.ended:
			return
		}
		for at := time.Now(); !h.try(w, t, at); {
			select {
			case <-h.ended:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
}

// try makes one request, and says whether no other is needed. Its time stays
// that of the first, as Bird has it.
func (h *Hooks) try(w Webhook, t Twist, at time.Time) bool {
	r, err := h.request(&w)
	if err != nil {
		h.note(err.Error())
		return true
	}
	r.Header.Set("Content-Type", "application/json")
	if w.Type != "" {
		r.Header.Set("Content-Type", w.Type)
	}
	switch {
	case t.Bare || w.Signed == nil:
	case t.Forged:
		w.Signed(r.Header, w.URL, append([]byte(" "), w.Body...), at.Add(-t.Age))
	default:
		w.Signed(r.Header, w.URL, w.Body, at.Add(-t.Age))
	}
	resp, err := h.client.Do(r)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return false
	}
	if resp.StatusCode >= 300 {
		h.note(fmt.Sprintf("%d %s", resp.StatusCode, r.URL.Path))
	}
	return true
}

func (h *Hooks) note(refused string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, refused)
}
