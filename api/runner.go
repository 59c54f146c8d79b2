package api

import (
	"context"
	"encoding/json"
	"time"

	"carillon/campaign"
)

// Runner checks and tries strategies; the wiring puts the pool behind it.
type Runner interface {
	// Check reads the code without running it and reports what is wrong with it.
	Check(ctx context.Context, r CheckRequest) ([]CodeProblem, error)
	// Try runs a strategy once on the given documents. A strategy that fails is a
	// Trial with an Error, not an error.
	Try(ctx context.Context, r TryRequest) (Trial, error)
}

// CheckRequest is code to check. Stage names that it uses and that are not
// among Stages are warnings; nil leaves that out.
type CheckRequest struct {
	Type     campaign.StrategyType
	Function string
	Code     string
	Stages   []string
}

// Severities of a problem.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// CodeProblem is one thing that is wrong with code.
type CodeProblem struct {
	Severity string `json:"severity" enum:"error,warning"`
	Message  string `json:"message" example:"invalid syntax"`
	Line     int    `json:"line" example:"12"`
	Column   int    `json:"column" example:"5"`
}

// TryRequest is one run on trial. Empty documents are absent.
type TryRequest struct {
	Campaign       campaign.Campaign
	Stages         []campaign.Stage
	Secrets        map[string]campaign.Secret
	Strategy       campaign.Strategy
	Contact        json.RawMessage
	Existing       json.RawMessage // data_load
	SessionResults json.RawMessage // aggregation
	Message        json.RawMessage // agent_answer
	Now            time.Time
}

// Trial is what became of it: Contact is what the strategy returned, empty for None.
type Trial struct {
	Contact json.RawMessage
	Logs    []campaign.LogLine
	Error   *campaign.StrategyError
}
