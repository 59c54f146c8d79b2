package activities

import (
	"context"
	"errors"
	"sync"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// links makes the links that messages carry; the secret that signs them is read
// once. The zero value is ready.
type links struct {
	mu     sync.Mutex
	secret []byte
	warned bool
}

// unsubscribeURL is the link by which the contact ends e-mails like the one to
// an address, or "": the channel has none, nobody outside could open it, or the
// store has no key to keep its secret with.
func (a *Activities) unsubscribeURL(ctx context.Context, c *campaign.Contact, ch campaign.Channel) (string, error) {
	to, err := channels.Address(c, ch)
	if err != nil || ch != campaign.Email && ch != campaign.EmailNotification || a.PublicURL == "" {
		return "", nil
	}
	a.links.mu.Lock()
	defer a.links.mu.Unlock()
	if a.links.secret == nil {
		a.links.secret, err = a.Store.WorkspaceSecret(ctx, channels.UnsubscribeSecret)
		if errors.Is(err, store.ErrNoKey) {
			if !a.links.warned {
				a.Log.Warn("messages carry no link to unsubscribe: give --secret-key", "error", err)
			}
			a.links.secret, a.links.warned = nil, true
			return "", nil
		} else if err != nil {
			return "", err
		}
	}
	return channels.Unsubscriber{Base: a.PublicURL, Secret: a.links.secret}.URL(c.ID, ch, to), nil
}

// integrationID is the id of the integration a delivery goes through: providers
// report under it, so ledger and sessions keep it even where a stage or an agent
// gives the name. One that does not exist stays as it was given.
func (a *Activities) integrationID(ctx context.Context, d *campaign.Delivery) (string, error) {
	name, err := a.integrationFor(ctx, d)
	if err != nil || name == "" {
		return "", err
	}
	i, err := a.Store.Integration(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return name, nil
	}
	return i.ID, err
}
