// Package human describes the channel on which people work: a communication
// opens a task in the operators' inbox and no message leaves. It imports
// packages channels and campaign.
package human

import (
	"context"

	"carillon/campaign"
	"carillon/channels"
)

// Name is the provider's name. It needs no integration.
const Name = "human"

// Provider carries the channel human.
type Provider struct{}

// Describe implements [channels.Provider].
func (Provider) Describe() channels.Description {
	return channels.Description{
		Provider: Name, Name: "Operators' inbox", Channels: []campaign.Channel{campaign.Human}, Manual: manual(),
		Settings: []channels.Field{}, Secrets: []channels.Field{},
	}
}

// Open implements [channels.Provider].
func (Provider) Open(_ campaign.Integration, d channels.Deps) (channels.Sender, error) {
	return sender{deps: d}, nil
}

type sender struct{ deps channels.Deps }

// Send takes an opening without doing anything: the open session is the task.
// An answer has nowhere to go on this channel and is refused.
func (s sender) Send(_ context.Context, m channels.Outbound) (channels.Receipt, error) {
	if m.Reply {
		return channels.Receipt{}, channels.Fail(channels.Invalid, "no_message", "channel human sends no messages")
	}
	return channels.Receipt{At: s.deps.Clock()}, nil
}
