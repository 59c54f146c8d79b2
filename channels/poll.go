package channels

import (
	"context"

	"carillon/campaign"
)

// PollProvider is a [Provider] that is asked for what happened, where no webhook
// of it reaches us: a mailbox, or long polling.
type PollProvider interface {
	// OpenPoll makes the poller of an integration; nil if its settings ask for
	// none. It uses no network. What it lacks is a [*Failure] of class Config.
	OpenPoll(i campaign.Integration, d Deps) (Poller, error)
}

// Poller asks one provider for one integration. Of all workers one calls it at a
// time, save for moments around a worker's death: what it reports is taken once
// for each Key, so it may report again what it is not sure of.
type Poller interface {
	// Poll asks for what came after cursor ("" the first time), and hands it to
	// commit in the order it came, a batch at a time, until ctx ends or the
	// connection does. It may wait at the provider for news, within ctx. It tells
	// the provider that something is done with only after its commit returned nil.
	// An error is a [*Failure]; it is logged and Poll is called again after a while,
	// with the cursor committed last. nil means the same without a log line and at once.
	Poll(ctx context.Context, cursor string, commit Commit) error
}

// Commit keeps the reports together with the cursor after them: both or neither.
// Without reports it keeps the cursor. With an error Poll returns that error.
type Commit func(ctx context.Context, reports []Report, cursor string) error

// OpenPoll makes the poller of an integration; nil if its provider has none or
// its settings ask for none.
func (r *Registry) OpenPoll(i campaign.Integration, d Deps) (Poller, error) {
	p, _ := r.Provider(i.Provider)
	polled, ok := p.(PollProvider)
	if !ok {
		return nil, nil
	}
	return polled.OpenPoll(i, d)
}

// Polls says whether integrations of the provider may have a poller.
func (r *Registry) Polls(provider string) bool {
	p, _ := r.Provider(provider)
	_, ok := p.(PollProvider)
	return ok
}
