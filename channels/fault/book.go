package fault

import (
	"slices"
	"sync"
)

// Book is what a fake has accepted and refused. Its zero value is an empty one.
type Book[M any] struct {
	mu       sync.Mutex
	accepted []M
	refused  []string
	watchers []func(M)
}

// Accept keeps a message and shows it to the watchers.
func (b *Book[M]) Accept(m M) {
	b.mu.Lock()
	b.accepted = append(b.accepted, m)
	watchers := slices.Clone(b.watchers)
	b.mu.Unlock()
	for _, see := range watchers {
		see(m)
	}
}

// Refuse keeps why a request was refused.
func (b *Book[M]) Refuse(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, why)
}

// Accepted returns the messages that were accepted, in order.
func (b *Book[M]) Accepted() []M {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.accepted)
}

// Refused returns why requests were refused, faults to order aside.
func (b *Book[M]) Refused() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.refused)
}

// Watch has every message that is accepted from now on seen at once, before it is
// answered. What sees it does not wait: it queues webhooks, for instance.
func (b *Book[M]) Watch(see func(M)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, see)
}

// Times counts the accepted messages of each key, such as the correlation key
// that was planted in them.
func (b *Book[M]) Times(key func(*M) string) map[string]int {
	times := map[string]int{}
	for _, m := range b.Accepted() {
		times[key(&m)]++
	}
	return times
}
