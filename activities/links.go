package activities

import (
	"context"
	"errors"
	"sync"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// links makes the links that messages carry; the secrets that sign them are read
// once. The zero value is ready.
type links struct {
	mu      sync.Mutex
	secrets map[string][]byte
	warned  bool
}

// workspaceSecret is a secret that signs links; nil if the store has no key to
// keep it with.
func (a *Activities) workspaceSecret(ctx context.Context, name string) ([]byte, error) {
	a.links.mu.Lock()
	defer a.links.mu.Unlock()
	if secret := a.links.secrets[name]; secret != nil {
		return secret, nil
	}
	secret, err := a.Store.WorkspaceSecret(ctx, name)
	if errors.Is(err, store.ErrNoKey) {
		if !a.links.warned {
			a.Log.Warn("messages carry no links to unsubscribe or to Telegram, and no signed address for answers: give --secret-key", "error", err)
		}
		a.links.warned = true
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if a.links.secrets == nil {
		a.links.secrets = map[string][]byte{}
	}
	a.links.secrets[name] = secret
	return secret, nil
}

// unsubscribeURL is the link by which the contact ends e-mails like the one to
// an address, or "": the channel has none, nobody outside could open it, or the
// store has no key to keep its secret with.
func (a *Activities) unsubscribeURL(ctx context.Context, c *campaign.Contact, ch campaign.Channel) (string, error) {
	to, _ := channels.Address(c, ch)
	if to == "" || ch != campaign.Email && ch != campaign.EmailNotification || a.PublicURL == "" {
		return "", nil
	}
	secret, err := a.workspaceSecret(ctx, channels.UnsubscribeSecret)
	if err != nil {
		return "", err
	}
	return channels.Unsubscriber{Base: a.PublicURL, Secret: secret}.URL(c.ID, ch, to), nil
}

// telegramLink is the link by which the contact opens the campaign's bot, for a
// delivery that writes it; "" if there is none, and why.
func (a *Activities) telegramLink(ctx context.Context, c *campaign.Contact, d *campaign.Delivery) (link, why string, err error) {
	if !channels.MentionsTelegramLink(d) {
		return "", "", nil
	}
	bot, err := a.Store.TelegramBot(ctx, c.CampaignID)
	if errors.Is(err, store.ErrNotFound) {
		return "", "no integration of provider telegram has a bot_username", nil
	} else if err != nil {
		return "", "", err
	}
	name := channels.StartSecret
	if a.Mode == ModeRedirect { // who opens it is a tester: later messages are not to go there
		name = channels.TrialSecret
	}
	secret, err := a.workspaceSecret(ctx, name)
	if err != nil {
		return "", "", err
	}
	if secret == nil {
		return "", "give --secret-key: without it no link can be signed", nil
	}
	return channels.Starter{Secret: secret}.URL(&bot, c.ID), "", nil
}

// replyToken proves a session of e-mail in the address that answers go to; ""
// on other channels, or where nothing can be signed.
func (a *Activities) replyToken(ctx context.Context, ch campaign.Channel, sessionID string) (string, error) {
	if ch != campaign.Email || sessionID == "" {
		return "", nil
	}
	secret, err := a.workspaceSecret(ctx, channels.UnsubscribeSecret)
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
