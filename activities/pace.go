package activities

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"carillon/channels"
)

// longestPause bounds how long one answer keeps other messages from the provider:
// then one of them asks it again.
const longestPause = 5 * time.Minute

// pauses is until when providers asked not to be called, by integration. Each
// process learns it by itself, from the first message that is told so.
type pauses struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// begin notes that the provider asks for a pause; it is false if a pause as long
// was known.
func (p *pauses) begin(integrationID string, now time.Time, wait time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := now.Add(min(wait, longestPause))
	if !until.After(p.until[integrationID]) {
		return false
	}
	if p.until == nil {
		p.until = map[string]time.Time{}
	}
	p.until[integrationID] = until
	return true
}

// left is how long the pause still lasts.
func (p *pauses) left(integrationID string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.until[integrationID]
	if !ok {
		return 0
	}
	left := until.Sub(now)
	if left <= 0 {
		delete(p.until, integrationID)
	}
	return max(left, 0)
}

// heed keeps a failure's Retry-After for all messages of the integration: it is
// the account that is too fast, or the provider that is away.
func (a *Activities) heed(m *channels.Outbound, f *channels.Failure) {
	id := m.Delivery.Integration
	if id == "" || !f.Retry() || f.RetryAfter <= 0 {
		return
	}
	if a.pauses.begin(id, a.now(), f.RetryAfter) {
		a.Log.Info("provider asks to wait", "integration_id", id, "seconds", f.RetryAfter.Seconds(), "error", f.Error())
	}
}

// mayCall is an error while the integration's provider has asked not to be called,
// unless the message is one of which something may have left. Nothing is claimed
// then; the activity is repeated after the pause, a little later than others.
func (a *Activities) mayCall(ctx context.Context, m *channels.Outbound) error {
	left := a.pauses.left(m.Delivery.Integration, a.now())
	if left == 0 {
		return nil
	}
	if unsent, err := a.unsent(ctx, m.ID); err != nil || !unsent {
		return err
	}
	spread := rand.N(min(left/2, 10*time.Second) + 50*time.Millisecond) //nolint:gosec // no secret
	return temporal.NewApplicationErrorWithOptions("the provider has asked not to be called yet", "Pause", temporal.ApplicationErrorOptions{
		NextRetryDelay: left + spread, Category: temporal.ApplicationErrorCategoryBenign,
	})
}
