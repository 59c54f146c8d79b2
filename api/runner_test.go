package api_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/activities"
	"carillon/api"
	"carillon/campaign"
	"carillon/strategies"
)

func TestMain(m *testing.M) {
	strategies.LaunchIfAsked() // the runner starts this program again
	os.Exit(m.Run())
}

// pythonRunner runs strategies for the API and for activities, as the wiring has it.
type pythonRunner struct{ *strategies.Pool }

func newRunner(t *testing.T) pythonRunner {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is missing")
	}
	pool, err := strategies.Open(strategies.Options{Sandbox: strategies.BestEffort})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pythonRunner{pool}
}

// Check implements [api.Runner].
func (r pythonRunner) Check(ctx context.Context, q api.CheckRequest) ([]api.CodeProblem, error) {
	found, err := r.Pool.Check(ctx, strategies.Type(q.Type), q.Function, q.Code, q.Stages)
	problems := make([]api.CodeProblem, len(found))
	for i, p := range found {
		problems[i] = api.CodeProblem(p)
	}
	return problems, err
}

// Try implements [api.Runner].
func (r pythonRunner) Try(ctx context.Context, q api.TryRequest) (api.Trial, error) {
	result, err := r.Run(ctx, activities.StrategyJob(&q.Campaign, q.Stages, &q.Strategy, q.Secrets), strategies.Call{
		Contact: q.Contact, Existing: q.Existing, SessionResults: q.SessionResults, Message: q.Message, Now: q.Now,
		Kwargs: json.RawMessage(`{"idempotency_key":"try"}`),
	})
	if err != nil {
		return api.Trial{}, err
	}
	t := api.Trial{Contact: result.Contact}
	for _, l := range result.Logs {
		t.Logs = append(t.Logs, campaign.LogLine(l))
	}
	if result.Err != nil {
		e := campaign.StrategyError(*result.Err)
		t.Error = &e
	}
	return t, nil
}
