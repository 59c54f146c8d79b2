package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// When it is shown that a provider, or an agent, takes nothing: a single refusal
// that is over a second later is nobody's business.
const (
	awayTries = 3           // of one message
	awayTime  = time.Minute // since the first
)

// outages is what has been refused for now, by whom, since the last time that
// something was taken. Each process learns it by itself.
type outages struct {
	mu sync.Mutex
	of map[string]*outage
}

type outage struct {
	since time.Time
	tries map[string]int // by message
	shown bool
}

// failed counts a refusal and says since when nothing is taken, and whether that
// is to be shown now: also again, if somebody has set back what was shown.
func (o *outages) failed(who, messageID string, visible bool, now time.Time) (since time.Time, show bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v := o.of[who]
	if v == nil {
		v = &outage{since: now, tries: map[string]int{}}
		if o.of == nil {
			o.of = map[string]*outage{}
		}
		o.of[who] = v
	}
	if v.shown {
		return v.since, !visible
	}
	v.tries[messageID]++
	v.shown = v.tries[messageID] >= awayTries || now.Sub(v.since) >= awayTime
	if v.shown {
		v.tries = nil
	}
	return v.since, v.shown
}

// unshown has the next refusal show it.
func (o *outages) unshown(who string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v := o.of[who]; v != nil {
		v.shown, v.tries = false, map[string]int{}
	}
}

func (o *outages) over(who string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.of, who)
}

// away begins the status of an integration that refuses for now; by it the status
// is known again, also by another process, when it is over.
const away = "messages wait and are tried again: "

var errAsItIs = errors.New("as it is")

// refusedForNow counts a message that its provider did not take and that is sent
// again, and shows on the integration when that goes on. What others found stays.
func (a *Activities) refusedForNow(ctx context.Context, m *channels.Outbound, r *route, f *channels.Failure) {
	since, show := a.outages.failed(r.integration.ID, m.ID, r.integration.Paused || r.integration.Status == "error", a.now())
	if !show {
		return
	}
	name := r.integration.Provider
	if p, ok := a.Channels.Provider(name); ok && p.Describe().Name != "" {
		name = p.Describe().Name
	}
	why := fmt.Sprintf("%s%s has taken none since %s; its last answer: %v (communication %s)", away, name, since.UTC().Format("2006-01-02 15:04 UTC"), f, m.CommunicationID)
	_, err := a.Store.UpdateIntegration(ctx, r.integration.ID, func(i *campaign.Integration) error {
		if i.Paused || i.Status == "error" {
			return errAsItIs
		}
		i.Status, i.StatusMessage = "error", why
		return nil
	})
	switch {
	case err == nil:
		a.Log.Warn("provider takes no messages", "integration_id", r.integration.ID, "provider", r.integration.Provider, "since", since, "error", f)
	case !errors.Is(err, errAsItIs) && !errors.Is(err, store.ErrNotFound):
		a.outages.unshown(r.integration.ID)
		a.Log.Warn("status of an integration not kept", "integration_id", r.integration.ID, "error", err)
	}
}

// works ends an outage: the provider has taken a message, or refused it for good.
func (a *Activities) works(ctx context.Context, r *route) {
	a.outages.over(r.integration.ID)
	if !strings.HasPrefix(r.integration.StatusMessage, away) {
		return
	}
	_, err := a.Store.UpdateIntegration(ctx, r.integration.ID, func(i *campaign.Integration) error {
		if i.Paused || !strings.HasPrefix(i.StatusMessage, away) {
			return errAsItIs
		}
		i.Status, i.StatusMessage = "ok", ""
		return nil
	})
	switch {
	case err == nil:
		a.Log.Info("provider takes messages again", "integration_id", r.integration.ID, "provider", r.integration.Provider)
	case !errors.Is(err, errAsItIs) && !errors.Is(err, store.ErrNotFound): // the next message tries again
		a.Log.Warn("status of an integration not kept", "integration_id", r.integration.ID, "error", err)
	}
}
