// Package outbox is the built-in development provider: it carries every channel
// that sends anything, keeps each message where people and tests can read it,
// and never contacts anything outside. It imports packages channels and
// campaign; where the messages are kept is given to it as a [Box].
package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
	"carillon/channels"
)

// Name is the provider's name in an integration.
const Name = "outbox"

// Message is one message as it left.
type Message struct {
	ID              string
	At              time.Time
	Channel         campaign.Channel
	To              string
	Subject         string
	Body            string
	Payload         json.RawMessage // a [Payload]
	CampaignID      string
	ContactID       string
	CommunicationID string
	SessionID       string
	CorrelationKey  string
	Status          string // sent, until a person says otherwise
}

// Payload is what a real provider would have been given beside the text.
type Payload struct {
	Integration  string            `json:"integration,omitempty"`
	Agent        string            `json:"agent,omitempty"`
	Format       string            `json:"format,omitempty"`
	TemplateName string            `json:"template_name,omitempty"`
	Language     string            `json:"language,omitempty"`
	ProjectID    string            `json:"project_id,omitempty"`
	Version      string            `json:"version,omitempty"`
	StartState   string            `json:"start_state,omitempty"`
	Variables    map[string]string `json:"variables,omitempty"`
	Reply        bool              `json:"reply,omitempty"`
	Warnings     []string          `json:"warnings,omitempty"` // why a real provider would refuse
}

// Box keeps the messages. It is safe for concurrent use.
type Box interface {
	// Put keeps a message once per correlation key: the first one stays and is
	// returned.
	Put(ctx context.Context, m Message) (Message, error)
	// ByCorrelation returns the message with the key, and whether there is one.
	ByCorrelation(ctx context.Context, key string) (Message, bool, error)
}

// Provider is the outbox. The zero value is not usable; see [New].
type Provider struct{ box Box }

// New makes the provider over the box.
func New(box Box) *Provider { return &Provider{box: box} }

// Describe implements [channels.Provider].
func (p *Provider) Describe() channels.Description {
	var served []campaign.Channel
	for _, ch := range campaign.Channels {
		if ch != campaign.Human && ch != campaign.NoCommunication {
			served = append(served, ch)
		}
	}
	return channels.Description{
		Provider: Name, Name: "Outbox (development)", Channels: served, Manual: manual(),
		Settings: []channels.Field{}, Secrets: []channels.Field{},
	}
}

// Open implements [channels.Provider]; it needs no integration.
func (p *Provider) Open(_ campaign.Integration, d channels.Deps) (channels.Sender, error) {
	return &sender{box: p.box, deps: d}, nil
}

// sender implements [channels.Sender] and [channels.Finder].
type sender struct {
	box  Box
	deps channels.Deps
}

// Send puts the message into the box. The same correlation key gives the same
// receipt however often it is sent, so every failure may be retried.
func (s *sender) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	if m.CorrelationKey == "" {
		return channels.Receipt{}, errors.New("send to the outbox: the message has no correlation key")
	}
	payload, err := json.Marshal(describe(m))
	if err != nil {
		return channels.Receipt{}, fmt.Errorf("write payload of %s: %w", m.ID, err)
	}
	kept, err := s.box.Put(ctx, Message{
		ID: id(m.CorrelationKey), At: s.deps.Clock().Truncate(time.Microsecond),
		Channel: m.Channel, To: m.To, Subject: m.Subject, Body: m.Body, Payload: payload,
		CampaignID: m.CampaignID, ContactID: m.ContactID, CommunicationID: m.CommunicationID, SessionID: m.SessionID,
		CorrelationKey: m.CorrelationKey, Status: "sent",
	})
	if err != nil {
		return channels.Receipt{}, channels.Fail(channels.Retryable, "", "put %s into the outbox: %w", m.ID, err)
	}
	return receipt(kept), nil
}

// Find implements [channels.Finder].
func (s *sender) Find(ctx context.Context, m channels.Outbound) (channels.Receipt, bool, error) {
	kept, ok, err := s.box.ByCorrelation(ctx, m.CorrelationKey)
	if err != nil {
		return channels.Receipt{}, false, channels.Fail(channels.Retryable, "", "look up %s in the outbox: %w", m.ID, err)
	}
	if !ok {
		return channels.Receipt{}, false, nil
	}
	return receipt(kept), true, nil
}

func receipt(m Message) channels.Receipt {
	return channels.Receipt{ProviderMessageID: m.ID, At: m.At}
}

func describe(m channels.Outbound) Payload {
	d := m.Delivery
	p := Payload{
		Integration: d.Integration, Agent: d.Agent, TemplateName: d.TemplateName, Language: d.Language,
		ProjectID: d.ProjectID, Version: d.Version, StartState: d.StartState, Variables: m.Variables, Reply: m.Reply,
	}
	if m.HTML {
		p.Format = "html"
	}
	if err := channels.CheckAddress(m.Channel, m.To); err != nil {
		p.Warnings = append(p.Warnings, err.Error())
	}
	if w := channels.Window(m.Channel); m.Reply && w > 0 && m.At.After(m.Heard.Add(w)) {
		p.Warnings = append(p.Warnings, "the contact has not written within the last 24 hours: WhatsApp takes no free text")
	}
	return p
}

func id(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "ob_" + hex.EncodeToString(sum[:10])
}
