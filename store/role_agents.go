package store

import (
	"context"
	"encoding/json"
	"time"

	"carillon/campaign"
)

// HeldContact is one hold: what keeps a contact (or one communication of it) waiting.
type HeldContact struct {
	ContactID       string
	CampaignID      string
	CommunicationID string
	Cause           string // campaign, stage, integration, contact, agent_stopped, agent_full
	Ref             string
	At              time.Time
}

// Grant tells a contact that an agent has a place for its communication.
type Grant struct {
	AgentID, CampaignID, ContactID, CommunicationID string
}

// InboxEvent is the grant as the event its contact is told.
func (g Grant) InboxEvent(now time.Time) InboxEvent {
	id := "grant-" + g.CommunicationID + "-" + now.UTC().Format("20060102T150405.000000")
	payload, err := json.Marshal(campaign.Event{
		ID: id, Kind: campaign.EventRelease, CommunicationID: g.CommunicationID,
		Release: &campaign.Release{Cause: campaign.HeldAgentFull, Ref: g.AgentID, CommunicationID: g.CommunicationID},
	})
	if err != nil {
		panic(err) // plain strings: cannot fail
	}
	return InboxEvent{ID: id, ContactID: g.ContactID, Kind: string(campaign.EventRelease), Payload: payload, At: now}
}

// Agents keeps agents, integrations, and who talks to whom: leases, waiters, holds.
type Agents interface {
	CreateAgent(ctx context.Context, a campaign.Agent) error // ErrConflict if the name is taken
	Agent(ctx context.Context, idOrName string) (campaign.Agent, error)
	Agents(ctx context.Context, p Page) (List[campaign.Agent], error)
	// UpdateAgent changes an agent and counts its version up. A *campaign.Error with
	// CodeConflict if a state would be gone that open sessions are in.
	UpdateAgent(ctx context.Context, id string, change func(*campaign.Agent) error) (campaign.Agent, error)
	DeleteAgent(ctx context.Context, id string) error // ErrConflict while a stage names it or a session is open
	SetAgentSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error
	AgentSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error)
	CreateIntegration(ctx context.Context, i campaign.Integration) error
	Integration(ctx context.Context, idOrName string) (campaign.Integration, error)
	Integrations(ctx context.Context, p Page) (List[campaign.Integration], error)
	// TelegramBot returns the integration whose bot a campaign's contacts are given
	// links to: that of its first stage on Telegram, else the workspace's only one.
	// It has a bot_username; ErrNotFound if there is none.
	TelegramBot(ctx context.Context, campaignID string) (campaign.Integration, error)
	UpdateIntegration(ctx context.Context, id string, change func(*campaign.Integration) error) (campaign.Integration, error)
	DeleteIntegration(ctx context.Context, id string) error
	SetIntegrationSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error
	IntegrationSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error)

	// Acquire takes a place of the agent for a communication (idempotent), or puts
	// it in the agent's queue and returns false.
	Acquire(ctx context.Context, g Grant, maxSessions, dailySessions *int, now time.Time) (bool, error)
	// Release frees the communication's place, or its turn in the queue, and
	// returns whom the place was granted to; the grant is in the inbox by then.
	Release(ctx context.Context, communicationID string, maxSessions *int) (*Grant, error)
	// GrantFree grants places that came free without a release, because a limit
	// was raised or a day began; the grants are in the inbox by then.
	GrantFree(ctx context.Context, now time.Time) ([]Grant, error)
	AddHold(ctx context.Context, h HeldContact) error // one per (contact, communication, cause, ref); a repeated one moves At
	// DropHold removes the hold unless it was added again after h.At.
	DropHold(ctx context.Context, h HeldContact) error
	Holds(ctx context.Context, cause, ref, after string, limit int) ([]HeldContact, error) // by contact id
	// HoldCauses lists every cause and ref that holds anything, with its oldest hold.
	HoldCauses(ctx context.Context) ([]HeldContact, error)

	// Suppress adds a suppression, and ends the open sessions it covers: it returns
	// the events that tell their contacts, which are committed with it. The first one
	// of a person, address and channel stays.
	Suppress(ctx context.Context, s Suppression) ([]InboxEvent, error)
	Suppressed(ctx context.Context, externalID string, ch campaign.Channel, address string) (string, error) // the reason, or ""
	Suppressions(ctx context.Context, p Page) (List[Suppression], error)
	Unsuppress(ctx context.Context, id string) error
}

// Suppression says that a person must not be contacted, on one channel or all.
type Suppression struct {
	ID         string           `json:"id"`
	ExternalID string           `json:"external_id"`
	Address    string           `json:"address"`
	Channel    campaign.Channel `json:"channel"` // "" is all
	Reason     string           `json:"reason"`  // opt_out, bounced, do_not_contact
	CreatedAt  time.Time        `json:"created_at"`
	// But is an open session it does not end: one that ends by what was found out there.
	But string `json:"-"`
}
