package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"carillon/campaign"
)

// breakage is one message that failed because of its integration.
type breakage struct {
	why  string // with the message as a sample
	sent time.Time
}

// breaks notes that an event is the integration's fault. Providers take some
// messages first and say so later: without a stop every contact would be used up.
func (m *reporting) breaks(e *ProviderEvent, v *reportedSend) {
	if !e.Breaks || v.IntegrationID == "" {
		return
	}
	if m.broken == nil {
		m.broken = map[string]breakage{}
	}
	b := breakage{why: fmt.Sprintf("config %s (communication %s)", e.Reason, v.CommunicationID), sent: fromMicros(v.CreatedAt)}
	if known, ok := m.broken[v.IntegrationID]; !ok || known.sent.Before(b.sent) {
		m.broken[v.IntegrationID] = b
	}
}

// pause pauses the integrations that are at fault, as the circuit breaker of sends
// does. One that somebody has changed since the message left may be mended: the
// next message tells.
func (m *reporting) pause(ctx context.Context) error {
	for _, id := range slices.Sorted(keysOf(m.broken)) {
		i, err := locked[campaign.Integration](ctx, m.c, "integrations", id)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		b := m.broken[id]
		if i.Paused || i.UpdatedAt.After(b.sent) {
			continue
		}
		i.Paused, i.Status, i.StatusMessage = true, "error", clean(b.why)
		i.Version, i.UpdatedAt = i.Version+1, m.c.s.now()
		if err := m.c.putNamed(ctx, "integrations", id, i.Name, i); err != nil {
			return err
		}
	}
	return nil
}
