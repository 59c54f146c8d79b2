package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"carillon/campaign"
	"carillon/store"
)

// notCarried says that an integration's provider does not carry the channel, what
// it carries and what to choose; "" if it does.
func (s *Server) notCarried(i *campaign.Integration, ch campaign.Channel) string {
	p, ok := s.Channels.Provider(i.Provider)
	if !ok || !ch.Valid() || p.Describe().Serves(ch) {
		return ""
	}
	why := fmt.Sprintf("the integration %q is of %s, which does not carry %s: it carries %s; ", i.Name, i.Provider, ch, names(p.Describe().Channels))
	var others []string
	for _, d := range s.Channels.Providers() {
		if d.Serves(ch) && slices.Contains(campaign.Providers, d.Provider) {
			others = append(others, d.Provider)
		}
	}
	if len(others) == 0 {
		return why + "no integration can carry " + string(ch)
	}
	return why + "choose one of " + strings.Join(others, ", ")
}

// hasProvider reports whether deliveries of the channel go through an integration:
// where a person speaks, or nobody, one means nothing.
func hasProvider(ch campaign.Channel) bool {
	return ch != campaign.Human && ch != campaign.NoCommunication
}

// wrongProvider is notCarried of a delivery.
func (s *Server) wrongProvider(i *campaign.Integration, d *campaign.Delivery) string {
	if !hasProvider(d.Channel) {
		return ""
	}
	return s.notCarried(i, d.Channel)
}

func names(chs []campaign.Channel) string {
	out := make([]string, len(chs))
	for n, ch := range chs {
		out[n] = string(ch)
	}
	return strings.Join(out, ", ")
}

// checkProvider refuses another provider for an integration while an agent, or a
// stage of a campaign that is not stopped, speaks through it on a channel that
// the new one does not carry.
func (s *Server) checkProvider(ctx context.Context, is, next *campaign.Integration) error {
	if is.Provider == next.Provider {
		return nil
	}
	names := func(ref string) bool { return ref == is.ID || ref == is.Name }
	for cursor := ""; ; {
		page, err := s.Store.Agents(ctx, store.Page{Limit: 500, Cursor: cursor})
		if err != nil {
			return err
		}
		for n := range page.Items {
			for ch, ref := range page.Items[n].Integrations {
				if why := s.notCarried(next, campaign.Channel(ch)); names(ref) && why != "" {
					return campaign.Invalid("provider", "the agent %q speaks through it: %s", page.Items[n].Name, why)
				}
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for cursor := ""; ; {
		page, err := s.Store.Campaigns(ctx, store.CampaignFilter{}, store.Page{Limit: 500, Cursor: cursor})
		if err != nil {
			return err
		}
		for n := range page.Items {
			if err := s.checkProviderIn(ctx, &page.Items[n], next, names); err != nil {
				return err
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

func (s *Server) checkProviderIn(ctx context.Context, c *campaign.Campaign, next *campaign.Integration, names func(string) bool) error {
	if c.Status == campaign.Stopped {
		return nil
	}
	stages, err := s.Store.Stages(ctx, c.ID)
	if err != nil {
		return err
	}
	for n := range stages {
		for _, d := range deliveries(&stages[n]) {
			if why := s.wrongProvider(next, d.delivery); names(d.delivery.Integration) && why != "" {
				return campaign.Invalid("provider", "the stage %q of campaign %q sends through it: %s", stages[n].Name, c.Name, why)
			}
		}
	}
	return nil
}
