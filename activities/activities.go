// Package activities is the side of the house that touches the world: it
// implements the contracts that package workflows declares, over narrow
// interfaces. Every activity here may be executed more than once (a worker can
// die after any line) and says in its comment why that is harmless.
package activities

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"carillon/agents"
	"carillon/campaign"
	"carillon/channels"
	"carillon/relay"
	"carillon/store"
	"carillon/strategies"
	"carillon/workflows"
)

// Store is what the activities keep and read.
type Store interface {
	store.Campaigns
	store.Stages
	store.Strategies
	store.Contacts
	store.Imports
	store.Sessions
	store.Ledger
	store.Reports
	store.Polls
	store.Agents
	store.Office
}

// Runner runs strategies.
type Runner interface {
	Run(ctx context.Context, j strategies.Job, c strategies.Call) (strategies.Result, error)
	RunBatch(ctx context.Context, j strategies.Job, calls []strategies.Call) ([]strategies.Result, error)
}

// Modes of sending.
const (
	ModeOutbox   = "outbox"   // nothing leaves
	ModeRedirect = "redirect" // everything goes to a test address
	ModeLive     = "live"
)

// Activities carries what every activity shares; no state of a single contact.
type Activities struct {
	Store    Store
	Runner   Runner
	Channels *channels.Registry
	Agents   *agents.Registry
	Renderer *channels.Renderer
	Relay    *relay.Relay
	Temporal client.Client
	HTTP     *http.Client      // for providers; nil is channels.NewHTTPClient(false)
	Dial     channels.DialFunc // for providers that speak no HTTP; nil is that of channels.NewDialer(false)
	Mode     string
	Now      func() time.Time
	Log      *slog.Logger
	// PublicURL is where people outside reach the API; "" puts no links into messages.
	PublicURL string
	// CountSend counts a call of a provider and how it ended: "sent", or the class of
	// its failure. It is called by many goroutines at once; nil counts nothing.
	CountSend func(provider, outcome string)

	links    links
	ahead    ahead
	losses   losses
	pauses   pauses
	streaks  streaks
	outages  outages // of integrations
	silences outages // of agents
}

func (a *Activities) now() time.Time { return a.Now().UTC().Truncate(time.Microsecond) }

// settled turns store errors the workflow must act on into typed ones.
func settled(err error) error {
	switch {
	case errors.Is(err, store.ErrStale):
		return temporal.NewNonRetryableApplicationError("a newer run owns the contact", workflows.ErrTypeStale, err)
	case errors.Is(err, store.ErrNotFound):
		return temporal.NewNonRetryableApplicationError("the contact does not exist", workflows.ErrTypeGone, err)
	default:
		return err
	}
}

// stageOf finds a communication's stage by its id, which survives a rename, or
// by the name the strategy gave.
func (a *Activities) stageOf(ctx context.Context, campaignID string, m *campaign.Communication) (campaign.Stage, error) {
	if m.StageID != "" {
		s, err := a.Store.Stage(ctx, campaignID, m.StageID)
		if !errors.Is(err, store.ErrNotFound) {
			return s, err
		}
	}
	return a.Store.StageByName(ctx, campaignID, m.StageName)
}
