package store

import (
	"context"
	"encoding/json"
	"time"

	"carillon/campaign"
)

// CampaignFilter narrows a list of campaigns; zero values do not narrow.
type CampaignFilter struct {
	Status campaign.Status
	Query  string // part of name, description or a label
}

// Progress counts a campaign's contacts by status, and those with a workflow.
type Progress struct {
	Total    int                            `json:"total"`
	Planned  int                            `json:"planned"`  // with at least one planned communication
	Launched int                            `json:"launched"` // a workflow was started
	ByStatus map[campaign.ContactStatus]int `json:"by_status"`
	LastEnd  *time.Time                     `json:"last_end"`
}

// Campaigns keeps campaigns, their secrets and settings of the workspace.
type Campaigns interface {
	CreateCampaign(ctx context.Context, c campaign.Campaign) error
	// CreateWhole adds a campaign with its stages and strategies, and agents and
	// integrations it brings, all or nothing; ErrConflict if a name is taken.
	CreateWhole(ctx context.Context, w Whole) error
	Campaign(ctx context.Context, id string) (campaign.Campaign, error)
	Campaigns(ctx context.Context, f CampaignFilter, p Page) (List[campaign.Campaign], error)
	// UpdateCampaign changes a campaign in one transaction and adds one to its
	// version; the error of change is returned as it is and nothing is written.
	UpdateCampaign(ctx context.Context, id string, change func(*campaign.Campaign) error) (campaign.Campaign, error)
	// DeleteCampaign removes the campaign and everything in it.
	DeleteCampaign(ctx context.Context, id string) error
	SetCampaignSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error // "" removes one
	CampaignSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error)
	CampaignProgress(ctx context.Context, id string) (Progress, error)
	// Tally is what the campaign's contacts and communications came to just before
	// to (the zero time is now), and how contacts changed from a moment to that one,
	// hour by hour. It reads no contact.
	Tally(ctx context.Context, id string, from, to time.Time) (campaign.Tally, error)
	// TallyBegin is the first hour something changed in; zero if nothing did.
	TallyBegin(ctx context.Context, id string) (time.Time, error)
	// RollUp adds up what writes have appended to the tallies. Any number of
	// processes may do it at the same time.
	RollUp(ctx context.Context) error
	Settings(ctx context.Context) (json.RawMessage, error)
	PutSettings(ctx context.Context, doc json.RawMessage) error
}

// Stages keeps the stages of campaigns, in their order.
type Stages interface {
	CreateStage(ctx context.Context, s campaign.Stage) (campaign.Stage, error) // appended at the end; ErrConflict if the name is taken
	Stage(ctx context.Context, campaignID, id string) (campaign.Stage, error)
	StageByName(ctx context.Context, campaignID, name string) (campaign.Stage, error)
	Stages(ctx context.Context, campaignID string) ([]campaign.Stage, error)
	// StageNames are the ids of stages by every name they have had; of two that had
	// the same, the later one's.
	StageNames(ctx context.Context, campaignID string) (map[string]string, error)
	UpdateStage(ctx context.Context, campaignID, id string, change func(*campaign.Stage) error) (campaign.Stage, error)
	OrderStages(ctx context.Context, campaignID string, ids []string) error // must name every stage once, else ErrConflict
	// DeleteStage fails with ErrConflict while a communication that has not
	// ended, or a contact's current stage, names it.
	DeleteStage(ctx context.Context, campaignID, id string) error
}

// RunFilter narrows a list of strategy runs.
type RunFilter struct {
	CampaignID, ContactID, Status string
	Type                          campaign.StrategyType
	Version                       int
}

// Strategies keeps strategies, every version of their code, and their runs.
type Strategies interface {
	CreateStrategy(ctx context.Context, s campaign.Strategy) (campaign.Strategy, error) // version 1; ErrConflict if the type has one
	Strategy(ctx context.Context, campaignID, id string) (campaign.Strategy, error)
	ActiveStrategy(ctx context.Context, campaignID string, t campaign.StrategyType) (campaign.Strategy, error)
	Strategies(ctx context.Context, campaignID string) ([]campaign.Strategy, error)
	// UpdateStrategy saves a new version if code or function changed.
	UpdateStrategy(ctx context.Context, campaignID, id string, change func(*campaign.Strategy) error) (campaign.Strategy, error)
	StrategyVersions(ctx context.Context, campaignID, id string) ([]campaign.Strategy, error) // newest first
	DeleteStrategy(ctx context.Context, campaignID, id string) error
	MarkSlow(ctx context.Context, strategyID string, version int) error
	// MarkQuarantined marks every version of the campaign's strategies with the
	// hash; a later one that has the same code is marked from the start.
	MarkQuarantined(ctx context.Context, campaignID, hash string) error
	AddRun(ctx context.Context, run campaign.StrategyRun) error // idempotent by id
	Runs(ctx context.Context, f RunFilter, p Page) (List[campaign.StrategyRun], error)
}
