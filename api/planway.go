package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
	"carillon/store"
)

// underWay says in a plan without a next action that a message is on its way to
// its provider, what the provider answered the last time, and what is the matter
// with the integration: it is tried again without anybody's doing.
func (s *Server) underWay(ctx context.Context, c *campaign.Contact, p *Plan) error {
	if p.NextAction != "" || c.Status.Ended() || c.Attention != nil {
		return nil
	}
	for i := range c.Communications {
		m := &c.Communications[i]
		if m.Status.Status != campaign.CommunicationStarted {
			continue
		}
		row, err := s.Store.SendRow(ctx, m.SendID())
		switch {
		case errors.Is(err, store.ErrNotFound):
			if m.SessionID == "" { // else it opened without a word
				p.NextAction = fmt.Sprintf("%s is about to be sent by %s, since %s", m.Name, m.Channel, m.Status.At.UTC().Format(time.RFC3339))
			}
			return nil
		case err != nil:
			return err
		case row.State != store.SendSending && row.State != store.SendRetry:
			return nil
		}
		p.NextAction = fmt.Sprintf("%s is being sent by %s, since %s", m.Name, m.Channel, m.Status.At.UTC().Format(time.RFC3339))
		if row.State == store.SendRetry && row.SettledAt != nil {
			p.NextAction += "; it is tried again by itself"
			p.Blockers = append(p.Blockers, fmt.Sprintf("it was not taken at %s: %s", row.SettledAt.UTC().Format(time.RFC3339), row.Reason))
		}
		return s.wayBlocked(ctx, row.IntegrationID, p)
	}
	return nil
}

func (s *Server) wayBlocked(ctx context.Context, integrationID string, p *Plan) error {
	i, err := s.Store.Integration(ctx, integrationID)
	switch {
	case errors.Is(err, store.ErrNotFound): // in mode outbox there may be none
		return nil
	case err != nil:
		return err
	case i.Paused:
		p.Blockers = append(p.Blockers, fmt.Sprintf("the integration %s is paused", i.Name))
	case i.Status == "error":
		p.Blockers = append(p.Blockers, fmt.Sprintf("the integration %s is in error: %s", i.Name, i.StatusMessage))
	}
	return nil
}
