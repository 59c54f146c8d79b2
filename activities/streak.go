package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// brokenAfter is how many contacts in a row an integration may leave without an
// answer we can use before it is paused. One or two are the net's fault, or one
// recipient's; five, with no message taken in between, are the provider's, and every
// further contact would be one more for a person to look into.
const brokenAfter = 5

// streaks counts, by integration, the contacts whose messages ended one after
// another with an outcome that nobody knows. Each process counts its own.
type streaks struct {
	mu sync.Mutex
	of map[string]*streak
}

type streak struct {
	age  int // how often it has paused the integration: calls that began before count no more
	ends []unknownEnd
}

type unknownEnd struct{ contactID, messageID string }

// age is what a call that begins now belongs to.
func (s *streaks) age(integrationID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.of[integrationID]; k != nil {
		return k.age
	}
	return 0
}

// add counts a message, of one contact once, and returns those of the streak.
func (s *streaks) add(integrationID string, age int, e unknownEnd) []unknownEnd {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.of[integrationID]
	if k == nil {
		k = &streak{}
		if s.of == nil {
			s.of = map[string]*streak{}
		}
		s.of[integrationID] = k
	}
	if k.age != age {
		return nil
	}
	k.ends = append(slices.DeleteFunc(k.ends, func(v unknownEnd) bool { return v.contactID == e.contactID }), e)
	return slices.Clone(k.ends)
}

// drop forgets what came up to a message that was taken after all.
func (s *streaks) drop(integrationID string, upTo unknownEnd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.of[integrationID]; k != nil {
		k.ends = slices.Delete(k.ends, 0, slices.Index(k.ends, upTo)+1)
	}
}

// end begins anew: a message was taken, or the integration is paused.
func (s *streaks) end(integrationID string, paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.of[integrationID]; k != nil {
		k.ends = nil
		if paused {
			k.age++
		}
	}
}

// unanswered counts a message whose outcome nobody knows, and pauses its
// integration when it is one too many: the contacts that follow are held. What is
// under way at that moment goes on.
func (a *Activities) unanswered(ctx context.Context, m *channels.Outbound, age int, f *channels.Failure) error {
	id := m.Delivery.Integration
	ends := a.streaks.add(id, age, unknownEnd{m.ContactID, m.ID})
	if len(ends) < brokenAfter {
		return nil
	}
	for n := len(ends) - 1; n >= 0; n-- { // a webhook may have told meanwhile that one was taken
		row, err := a.Store.SendRow(ctx, ends[n].messageID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if row.State != store.SendSent {
			continue
		}
		a.streaks.drop(id, ends[n])
		if ends = ends[n+1:]; len(ends) < brokenAfter {
			return nil
		}
		break
	}
	why := fmt.Sprintf("%d messages in a row left and no answer came that says what became of them, at last %v (communication %s): "+
		"see whether the provider works, then resume", len(ends), f, m.CommunicationID)
	if _, err := a.pauseIntegration(ctx, m, f, why); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	a.streaks.end(id, true)
	return nil
}

// pauseIntegration pauses a message's integration and says why. One that is
// paused already keeps its reason.
func (a *Activities) pauseIntegration(ctx context.Context, m *channels.Outbound, f *channels.Failure, why string) (campaign.Integration, error) {
	i, err := a.Store.UpdateIntegration(ctx, m.Delivery.Integration, func(i *campaign.Integration) error {
		if !i.Paused {
			i.Paused, i.Status, i.StatusMessage = true, "error", why
		}
		return nil
	})
	if err == nil {
		a.Log.Warn("integration paused", "integration_id", i.ID, "campaign_id", m.CampaignID, "contact_id", m.ContactID, "error", f)
	}
	return i, err
}
