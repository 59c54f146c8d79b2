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
	to, _ := channels.Address(c, ch)
	if to == "" || ch != campaign.Email && ch != campaign.EmailNotification || a.PublicURL == "" {
		return "", nil
	}
	secret, err := a.linkSecret(ctx)
	if err != nil || secret == nil {
		return "", err
	}
	return channels.Unsubscriber{Base: a.PublicURL, Secret: secret}.URL(c.ID, ch, to), nil
}

// linkSecret is what signs links and the addresses of answers; nil if the store
// has no key to keep it with.
func (a *Activities) linkSecret(ctx context.Context) ([]byte, error) {
	a.links.mu.Lock()
	defer a.links.mu.Unlock()
	if a.links.secret != nil {
		return a.links.secret, nil
	}
	secret, err := a.Store.WorkspaceSecret(ctx, channels.UnsubscribeSecret)
	if errors.Is(err, store.ErrNoKey) {
		if !a.links.warned {
			a.Log.Warn("messages carry no link to unsubscribe and no signed address for answers: give --secret-key", "error", err)
		}
		a.links.warned = true
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	a.links.secret = secret
	return secret, nil
}

// replyToken proves a session of e-mail in the address that answers go to; ""
// on other channels, or where nothing can be signed.
func (a *Activities) replyToken(ctx context.Context, ch campaign.Channel, sessionID string) (string, error) {
	if ch != campaign.Email || sessionID == "" {
		return "", nil
	}
	secret, err := a.linkSecret(ctx)
	return channels.ReplyTokens{Secret: secret}.Token(sessionID), err
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
